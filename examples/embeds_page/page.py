"""A page with all five widgets under a strict Content-Security-Policy."""

from __future__ import annotations

from callsavvy_async import embeds

STYLE = """
body { font: 16px/1.5 "DejaVu Sans", sans-serif; margin: 2rem auto; max-width: 44rem; color: #1c2b22 }
h1 { font-size: 1.5rem } h2 { font-size: 1rem; margin: 1.5rem 0 .5rem }
#callservy_call_button { font: inherit; color: #fff; background: #1d7a46; border: 0; border-radius: 6px; padding: .6rem 1rem }
"""


def render(public_key: str | embeds.HasPublicKey, *, department: str, number: str, nonce: str) -> tuple[str, str]:
    """Return the page and its Content-Security-Policy.

    Args:
        public_key: Public key, or the `Credentials` that hold it.
        department: UID of the department that receives the calls.
        number: Number that the button calls.
        nonce: Nonce, new for each response.
    """
    call = embeds.call(public_key, department=department)
    ticket = embeds.ticket_form(public_key)
    widgets = (call, ticket, embeds.chat(public_key), embeds.video(public_key), embeds.calendar(public_key))
    scripts = "\n".join(widget.script(nonce=nonce) for widget in widgets)
    page = f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Talk to us</title><style nonce="{nonce}">{STYLE}</style></head>
<body>
<h1>Talk to us</h1>
<h2>By phone</h2>
{call.call_button("Call us", number=number)}
<h2>In writing</h2>
{ticket.holder}
{scripts}
</body>
</html>
"""
    policy = "; ".join(
        (
            "default-src 'none'",
            embeds.content_security_policy(*widgets, nonce=nonce),
            f"style-src 'nonce-{nonce}'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )
    return page, policy
