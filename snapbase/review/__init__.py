"""The interactive review: findings are walked one by one, decisions are kept, and saving writes the approvals.

Only `app`, `screens` and `widgets` need Textual; the rest is plain state.
"""
