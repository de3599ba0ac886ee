"""The text memory H_t of what happened before the window, within a budget of words.

Deviation from the published code, which has a second model rewrite a memory above 200 words: the oldest sentences are
dropped. It costs nothing, needs no second model and is the same every time.
"""

from __future__ import annotations

from collections import deque

from streamspike.belief.hypotheses import sentence_key

JOINT = " Then, "


class Summary:
    """Captions of the segments that left the window, oldest first, joined with " Then, "."""

    def __init__(self, max_words: int) -> None:
        """
        Args:
            max_words: budget of the whole text, joints included; 0 keeps it empty.
        """
        self._max_words = max_words
        self._sentences: deque[str] = deque()

    @property
    def text(self) -> str:
        """H_t, at most `max_words` words; empty before anything left the window."""
        return JOINT.join(self._sentences)

    def append(self, caption: str) -> None:
        """Add the caption of a segment that left the window.

        Nothing is added for an empty caption or one equal to the last, so that the summary stands while nothing
        happens.
        """
        sentence = " ".join(caption.split()[: self._max_words])
        if not sentence or (self._sentences and sentence_key(sentence) == sentence_key(self._sentences[-1])):
            return
        self._sentences.append(sentence)
        while _count_words(self.text) > self._max_words:
            self._sentences.popleft()

    def clear(self) -> None:
        """Forget everything, as at a new epoch."""
        self._sentences.clear()


def _count_words(text: str) -> int:
    return len(text.split())
