"""One self-contained page: no script, no request to anywhere, light and dark."""

from collections.abc import Iterator
from html import escape
from itertools import groupby

from snapbase.finding import Finding, Report
from snapbase.report import Options, Reporter
from snapbase.report.text import (
    altered,
    attack,
    command,
    compared,
    counts,
    done_by,
    heartbeat,
    holder,
    hole,
    let_through,
    named,
    plain,
    rotation,
    several,
    title,
    verdict,
    where,
    whole,
    whose,
    why_unread,
)

_STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1c2330; --soft: #667085; --line: #e3e7ee; --card: #f7f8fa;
  --critical: #b42318; --high: #c4500c; --medium: #946200; --low: #1d6fb8; --info: #667085 }
@media (prefers-color-scheme: dark) { :root { --paper: #12161d; --ink: #e6e9ef; --soft: #98a2b3; --line: #2b323d;
  --card: #1a2029; --critical: #ff7a6e; --high: #ff9d57; --medium: #f0c04f; --low: #6cb6ff; --info: #98a2b3 } }
body { margin: 0 auto; padding: 2.5rem 1.25rem 4rem; max-width: 60rem; background: var(--paper); color: var(--ink);
  font: 15px/1.55 system-ui, sans-serif; overflow-wrap: anywhere }
h1 { font-size: 1.5rem; line-height: 1.3; margin: .25rem 0 .5rem }
h2 { font-size: .85rem; letter-spacing: .08em; text-transform: uppercase; margin: 2.5rem 0 .75rem }
h3 { font-size: 1rem; margin: 0 }
p { margin: .25rem 0 }
.soft, footer { color: var(--soft) }
.tally { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; padding: 0; list-style: none; font-weight: 600 }
article { background: var(--card); border: 1px solid var(--line); border-left: 4px solid var(--tone, var(--line));
  border-radius: 6px; padding: .8rem 1rem; margin: .6rem 0 }
article header { display: flex; justify-content: space-between; gap: 1rem }
article header code { flex: none }
code, pre { font: .86em/1.5 ui-monospace, monospace }
pre { background: var(--paper); border: 1px solid var(--line); border-radius: 4px; padding: .5rem .7rem;
  margin: .5rem 0 0; white-space: pre-wrap }
.critical { --tone: var(--critical) } .high { --tone: var(--high) } .medium { --tone: var(--medium) }
.low { --tone: var(--low) } .info { --tone: var(--info) }
h2[class], .tally li { color: var(--tone) }
.unread { --tone: var(--medium) }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def render(report: Report, _: Options) -> str:
    """A page whose every value is escaped text."""
    return "\n".join(_page(report)) + "\n"


def _page(report: Report) -> Iterator[str]:
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{escape(verdict(report))}</title>\n<style>{_STYLE}</style>\n</head>\n<body>"
    yield f'<p class="soft">{_text(compared(report))}</p>\n<h1>{_text(verdict(report))}</h1>'
    if report.findings:
        tally = "".join(
            f'<li class="{severity}">{count:,} {severity}</li>' for severity, count in counts(report).items()
        )
        yield f'<ul class="tally">{tally}</ul>'
    for severity, found in groupby(report.findings, key=lambda finding: finding.severity):
        yield f'<section>\n<h2 class="{severity}">{severity.capitalize()}</h2>'
        for finding in found:
            yield from _finding(finding)
        yield "</section>"
    yield from _counted(report)
    yield from _coverage(report)
    yield f"<footer><p>Judged {report.evaluated_at:%Y-%m-%d %H:%M} UTC</p></footer>\n</body>\n</html>"


def _finding(finding: Finding) -> Iterator[str]:
    yield f'<article class="{finding.severity}" id="{escape(finding.id)}">'
    yield f"<header><h3>{_text(title(finding))}</h3><code>{_text(finding.id)}</code></header>"
    yield f"<p><code>{_text(named(finding))}</code></p>"
    yield f'<p class="soft">{_text(where(finding))} · {_text(plain(finding.rule))} · {_text(attack(finding))}</p>'
    if owner := whose(finding):
        yield f'<p class="soft">{_text(owner)}</p>'
    if finding.detail:
        yield f"<p>{_text(plain(finding.detail, 400))}</p>"
    if change := altered(finding):
        yield f"<p>{_text(change)}</p>"
    if who := holder(finding):
        yield f"<p>Who: {_text(who)}</p>"
    if finding.approval:
        yield f"<p>{_text(let_through(finding.approval))}</p>"
    yield from (f"<p>{_text(done_by(event))}</p>" for event in finding.attribution)
    if finding.undo:
        yield f"<pre>{_text(command(finding.undo))}</pre>"
    yield "</article>"


def _counted(report: Report) -> Iterator[str]:
    summary = report.summary
    yield "<section>\n<h2>Counted</h2>"
    yield f"<p>{several(summary.snapshots, 'snapshot')} known.</p>"
    if summary.initial:
        yield f"<p>{summary.initial:,} seen by the first complete reading of their scope: not listed.</p>"
    if words := rotation(report):
        yield f"<p>{_text(words)}</p>"
    if summary.cohorts:
        yield "<ul>" + "".join(f"<li>{_text(heartbeat(each))}</li>" for each in summary.cohorts) + "</ul>"
    if summary.approved_exposures:
        yield f"<p>{several(summary.approved_exposures, 'approved exposure')} still open, not listed.</p>"
    yield from (f"<p>{_text(plain(note, 400))}</p>" for note in report.notes)
    yield "</section>"


def _coverage(report: Report) -> Iterator[str]:
    yield "<section>\n<h2>Coverage</h2>"
    if not report.coverage:
        yield f"<p>{whole(report)}</p>"
    else:
        yield "<p>Not read; the last known state stays, and nothing in it is taken for deleted:</p>"
    for gap in report.coverage:
        yield f'<article class="unread"><h3>{_text(hole(gap))}</h3><p>{_text(why_unread(gap))}</p></article>'
    yield "</section>"


def _text(text: str) -> str:
    return f"<bdi>{escape(text)}</bdi>" if not text.isascii() else escape(text)


REPORTER = Reporter("html", "one self-contained page", render)
