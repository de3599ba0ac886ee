"""One request on one packed row: its questions, the branches of its answers, and their scores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from streamspike.belief.prompts import OBSERVE, PREDICT, render_suffix, render_verify
from streamspike.core import Scores
from streamspike.engine.stream import Boundary
from streamspike.engine.tree import TokenTree

TokenIds = Sequence[int]


class Inquiry:
    """Adds what is asked and answered to the row's tree; whoever calls runs the row."""

    def __init__(
        self,
        tree: TokenTree,
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
        self._tree = tree
        self._tokenize = tokenize
        self._end_id = end_id
        self._summary = summary
        self._after = tree.add_root(after.num_tokens, after.next_position)
        self.seen = self._ask(self._after, OBSERVE)
        """Node that predicts the caption."""
        self.expected: int | None = None
        """Node that predicts the hypotheses; None without a window."""
        if before:
            self.expected = self._ask(tree.add_root(before.num_tokens, before.next_position), PREDICT)

    @property
    def asked(self) -> int:
        """The same when there is one."""
        assert self.expected is not None
        return self.expected

    def add_answers(self, answers: Iterable[TokenIds]) -> None:
        """Put answers behind both questions."""
        for answer in answers:
            self._tree.grow(self.seen, answer)
            if self.expected is not None:
                self._tree.grow(self.expected, answer)

    def add_caption(self, token_ids: TokenIds) -> None:
        """Put an answer behind the question for the caption alone."""
        self._tree.grow(self.seen, token_ids)

    def add_hypotheses(self, texts: Iterable[str], verify: bool) -> None:
        """Put hypotheses behind both questions, and ask about each if they are to be verified."""
        for text in texts:
            self.add_answers([self._tokenize(text)])
            if verify:
                self._ask(self._after, render_verify(text))

    def places(self, texts: Sequence[str]) -> tuple[list[int], list[int]]:
        """What the scores of computed hypotheses are made of: nodes, and the token after each whose probability counts;
        all priors, then all posteriors."""
        nodes: list[int] = []
        targets: list[int] = []
        for start in (self.asked, self.seen):
            for text in texts:
                answer = self._tokenize(text)
                nodes += [start, *self._tree.grow(start, answer)]
                targets += [*answer, self._end_id]
        return nodes, targets

    def questions(self, texts: Sequence[str]) -> list[int]:
        """The nodes that answer whether each hypothesis is true."""
        return [self._ask(self._after, render_verify(text)) for text in texts]

    def scores(self, texts: Sequence[str], log_probabilities: Sequence[float]) -> tuple[Scores, ...]:
        """
        Args:
            log_probabilities: of the targets of `places`.
        """
        lengths = [len(self._tokenize(text)) + 1 for text in texts]
        values = iter(log_probabilities)
        log_prior, log_posterior = ([sum(islice(values, length)) for length in lengths] for _ in range(2))
        return tuple(map(Scores, texts, lengths, log_prior, log_posterior))

    def _ask(self, root: int, question: str) -> int:
        """The node of the question's last token."""
        return self._tree.grow(root, self._tokenize(render_suffix(self._summary, question)))[-1]
