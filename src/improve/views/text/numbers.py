"""Numbers as people read them, in few digits."""

from __future__ import annotations


def percent(fraction: float) -> str:
    """A share of 1 in percent: 0.123 is "12.3 %"."""
    return f"{100 * fraction:.1f} %"


def interval(low: float, high: float) -> str:
    """Two shares of 1 in percent, without its sign: "[10.1, 14.8]"."""
    return f"[{100 * low:.1f}, {100 * high:.1f}]"


def luck(optimism: float) -> str:
    """By how much (a share) the best of several looks too good: "1.2 points too good"; empty where that is nothing."""
    return f"{100 * optimism:.1f} points too good" if optimism >= 0.0005 else ""


def duration(seconds: float) -> str:
    """Seconds as "4.1 s", "64 s", "2 min" or "2 h 30 min"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def size(count: int) -> str:
    """A count as "999", "62 k" or "1.6 M"."""
    return f"{count / 1e6:.1f} M" if count >= 1e6 else f"{count / 1e3:.0f} k" if count >= 1e4 else f"{count:,}"


def rate(value: float) -> str:
    """A learning rate in four decimals; a smaller one in three digits, never rounded to nothing."""
    return f"{value:.3g}" if value < 1e-3 else f"{value:.4f}"
