"""How it looks: calm greys, and colour only for severity, decisions and what was not read."""

from textual.theme import Theme

THEME = Theme(
    name="snapbase",
    primary="#7dcfff",
    secondary="#bb9af7",
    warning="#e5c76b",
    error="#ff6b81",
    success="#9ece6a",
    accent="#7dcfff",
    foreground="#c8cede",
    background="#14161f",
    surface="#1a1d29",
    panel="#20243a",
    dark=True,
    variables={"scrollbar": "#343a55", "scrollbar-background": "#14161f", "scrollbar-hover": "#4a5275"},
)

WIDE = 60
"""Columns from which the finding stands beside the list, not below it."""

CSS = """
Screen { background: $background; color: $foreground; }
#top { height: 2; padding: 0 1; background: $panel; }
#unread { height: 1; padding: 0 1; background: #3a3420; color: #e5c76b; }
#both { height: 1fr; }
#left { width: 40%; min-width: 32; max-width: 64; }
#findings { height: 1fr; background: $background; }
#filter { height: 1; background: $panel; border: none; padding: 0 1; }
#right { width: 1fr; padding: 0 1; background: $surface; border-left: vkey #2b3150; scrollbar-size-vertical: 1; }
#keys { height: auto; padding: 0 1; background: $panel; color: #8a91a8; }
.zoomed #left { display: none; }
.zoomed #right { border-left: none; padding: 0 2; }
ModalScreen { align: center middle; background: $background 70%; }
.dialog { width: 66; max-width: 96%; height: auto; max-height: 96%; padding: 1 2; background: $panel;
  border: round #4a5275; }
.dialog Static { height: auto; }
.help { scrollbar-size-vertical: 1; }
.dialog Input { margin-top: 1; border: tall #343a55; background: $surface; }
.keys { color: #8a91a8; margin-top: 1; height: 1; }
Save { background: $surface; }
#save { width: 100%; height: 100%; max-width: 120; padding: 0 2; background: $surface; }
#delta { height: 1fr; margin: 1 0; scrollbar-size-vertical: 1; }
.field { height: 1; width: 1fr; margin-bottom: 1; }
.field Label { width: auto; min-width: 8; margin-right: 1; color: #8a91a8; }
.field .danger { color: #ff6b81; text-style: bold; }
.field Input { width: 1fr; background: $panel; }
.pair { height: 2; }
.pair .ticket { margin-right: 2; }
#trouble { height: auto; max-height: 3; }
#save .keys { margin-top: 0; }
.-narrow #both { layout: vertical; }
.-narrow #left { width: 100%; max-width: 100%; height: 40%; }
.-narrow #right { width: 100%; height: 1fr; border-left: none; border-top: solid #2b3150; }
.-narrow.zoomed #right { border-top: none; padding: 0 1; }
.-narrow .keys { height: auto; }
.-narrow #save .pair { layout: vertical; height: auto; }
.-narrow #save .field { layout: vertical; height: 2; margin: 0; }
.-narrow #save .field Label { width: 100%; margin: 0; height: 1; }
.-narrow #save .field Input { width: 100%; }
Toast { background: $panel; }
"""
