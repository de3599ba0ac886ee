"""One request on one packed row: its questions, the branches of its answers, and their scores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from streamspike.belief.prompts import NO, OBSERVE, PREDICT, YES, render_suffix, render_verify
from streamspike.core import Scores
from streamspike.engine.runner import PackedRow
from streamspike.engine.stream import Boundary

TokenIds = Sequence[int]


class Inquiry:
    """Adds what is asked and answered to the row's tree; whoever calls runs the row."""

    def __init__(
        self,
        row: PackedRow,
        tokenize: Callable[[str], TokenIds],
        end_id: int,
        summary: str,
        before: Boundary | None,
        after: Boundary,
    ) -> None:
        """
        Args:
            before: end of W_t in the prefix; None without a window.
            after: end of O_t in the prefix.
        """
        self._row = row
        self._tokenize = tokenize
        self._end_id = end_id
        self._summary = summary
        self._after = row.tree.add_root(after.num_tokens, after.next_position)
        self.seen = self._ask(self._after, OBSERVE)
        """Node that predicts the caption."""
        self.expected: int | None = None
        """Node that predicts the hypotheses; None without a window."""
        if before:
            self.expected = self._ask(row.tree.add_root(before.num_tokens, before.next_position), PREDICT)

    def add_answers(self, answers: Iterable[TokenIds]) -> None:
        """Put answers behind both questions."""
        for answer in answers:
            self._row.tree.grow(self.seen, answer)
            if self.expected is not None:
                self._row.tree.grow(self.expected, answer)

    def add_caption(self, token_ids: TokenIds) -> None:
        """Put an answer behind the question for the caption alone."""
        self._row.tree.grow(self.seen, token_ids)

    def add_hypotheses(self, texts: Iterable[str], verify: bool) -> None:
        """Put hypotheses behind both questions, and ask about each if they are to be verified."""
        for text in texts:
            self.add_answers([self._tokenize(text)])
            if verify:
                self._ask(self._after, render_verify(text))

    def scores(self, texts: Sequence[str], verify: bool) -> tuple[Scores, ...]:
        """Scores of hypotheses that were added and computed."""
        assert self.expected is not None
        answers = [list(self._tokenize(text)) for text in texts]
        log_prior, log_posterior = (self._score(start, answers) for start in (self.expected, self.seen))
        log_likelihood: list[float | None] = [None] * len(texts)
        if verify:
            places = [self._ask(self._after, render_verify(text)) for text in texts]
            options = [self._tokenize(word)[0] for word in (YES, NO)]
            log_likelihood = [yes for yes, _ in self._row.choices(places, options)]
        lengths = [len(answer) + 1 for answer in answers]
        return tuple(map(Scores, texts, lengths, log_prior, log_posterior, log_likelihood))

    def _ask(self, root: int, question: str) -> int:
        """The node of the question's last token."""
        return self._row.tree.grow(root, self._tokenize(render_suffix(self._summary, question)))[-1]

    def _score(self, start: int, answers: Sequence[list[int]]) -> list[float]:
        """Log-probability of each answer and the token that closes it."""
        nodes: list[int] = []
        targets: list[int] = []
        for answer in answers:
            nodes += [start, *self._row.tree.grow(start, answer)]
            targets += [*answer, self._end_id]
        values = iter(self._row.log_probabilities(nodes, targets))
        return [sum(next(values) for _ in range(len(answer) + 1)) for answer in answers]
