"""The verbs: collect, diff, approve, list, demo. Values in, values out; the CLI is a thin shell over them."""
