"""What others do for one segment: the published procedure and a fairer naive one, on the same model and the same rows.

Both implement `core.Engine` with streamspike's own prompts, positions and scores, so that their numbers are those of
the reference and only their time differs. Given hypotheses are scored, but both draw new ones all the same, as they
must for every segment: what is measured is their work.

`PublishedEngine` is what the authors of SPIKE (arXiv 2509.23433) run. Kept of their code:
1. N hypotheses, one generation after the other, each with a temperature and a top_p of its own;
2. no key-value cache: every token runs the whole row again, from the pixels, the vision tower included;
3. each hypothesis is scored before and after by forwards of its own, from the pixels; when asked to verify, the
   question whether it is true is one more;
4. one caption a segment.
Changed in its favour: the caption is written with a cache; logits are computed only where they are read; frames are
resized once a call and not once a token; a hypothesis may end before the limit. And so that it compares: the prompts
are streamspike's, and no second model shortens the memory.

`NaiveEngine` is what one writes who knows the library: a cache within each call, all draws and all scores in batches.
Each call (caption, draws, prior, posterior, verify) still begins at the pixels, and nothing is remembered between them.

Random numbers are those of the reference's first N draws, so the same seed draws the same sentences, unless two of them
are the same: the reference then draws on, the authors do not.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence

import torch

from streamspike.belief.hypotheses import distinct
from streamspike.belief.prompts import OBSERVE, PREDICT, render_verify
from streamspike.core import Assessment, Pixels, Request, Sampling, Scores
from streamspike.engine.decode import Chooser, Nucleus, generate, greedy, pick
from streamspike.engine.forward import BlockFeatures, Row, project, run_rows, score_answers
from streamspike.engine.layout import block_seconds, join_spans, text_span
from streamspike.engine.model import LoadedModel
from streamspike.engine.plain import PlainEngine
from streamspike.engine.reference import DRAWS_PER_HYPOTHESIS, NOTHING_READABLE
from streamspike.engine.vision import preprocess


class Prompt:
    """A row up to its answer, as pixels: whoever wants the row pays for the vision tower."""

    def __init__(
        self,
        loaded: LoadedModel,
        segments: Sequence[Sequence[Pixels]],
        summary: str,
        question: str,
        segment_seconds: float,
    ) -> None:
        frames, layout, num_frames = loaded.frames, loaded.layout, len(segments[-1])
        size = frames.frame_size(*segments[-1][0].shape[:2])
        num_blocks = len(segments) * frames.num_blocks(num_frames)
        self._loaded = loaded
        self._patches = torch.cat([preprocess(pixels, frames, size, loaded.device) for pixels in segments])
        self._grid = torch.tensor([[1, *frames.patch_grid(size)]] * num_blocks, device=loaded.device)
        times = block_seconds(len(segments), num_frames, frames.temporal_patch, segment_seconds)
        prefix = layout.prefix(*frames.token_grid(size), times)
        self.span = join_spans([prefix, layout.question(prefix.next_position, summary, question)])

    def row(self) -> Row:
        """Encode all frames."""
        output = self._loaded.model.model.get_video_features(self._patches, video_grid_thw=self._grid, return_dict=True)
        levels = output.deepstack_features if self._loaded.family == "qwen3_vl" else []
        blocks = (
            BlockFeatures(tokens, tuple(level[number] for level in levels))
            for number, tokens in enumerate(output.pooler_output)
        )
        return Row(self.span, tuple(blocks))


class Draws:
    """Temperatures, top_ps and random numbers of the reference's draws, for whoever takes them in another order."""

    def __init__(self, sampling: Sampling, seed: int) -> None:
        self._nucleus = Nucleus(sampling, DRAWS_PER_HYPOTHESIS * sampling.num_hypotheses, seed)
        self._numbers = [self._nucleus.draw() for _ in range(sampling.max_hypothesis_tokens)]

    def chooser(self, rows: slice) -> Chooser:
        """Writes some of the draws together, from their first token."""
        steps = iter(self._numbers)
        temperature, top_p = self._nucleus.temperature[rows], self._nucleus.top_p[rows]
        return lambda logits: pick(logits, temperature, top_p, next(steps)[rows])


Ask = Callable[[], Prompt]
"""Makes a prompt from frames: resizes and cuts them into patches."""


class Procedure(PlainEngine):
    """What both do in the same order."""

    def _assess(self, request: Request) -> Assessment:
        seconds: dict[str, float] = {}
        sampling = request.sampling

        def ask(segments: Sequence[tuple[Pixels, ...]], question: str) -> Ask:
            return lambda: Prompt(self._loaded, segments, request.summary, question, self._segment_seconds)

        before, after = request.window, (*request.window, request.observation)
        with self._timed("caption", seconds):
            row = ask(after, OBSERVE)().row()
            (ids,) = generate(self._loaded, row, greedy, 1, sampling.max_caption_tokens)
            caption = self._read(ids)
        if not before:
            return Assessment((), caption, sampled=False, stage_seconds=seconds)
        with self._timed("sample", seconds):
            drawn = distinct(map(self._read, self._draw(ask(before, PREDICT), request)))
        texts = distinct(request.hypotheses) or drawn or (NOTHING_READABLE,)
        num_before = len(texts)
        if request.complete:
            texts = distinct([*texts, caption])
        with self._timed("prior", seconds):
            log_prior = self._score(ask(before, PREDICT), texts)
        with self._timed("posterior", seconds):
            log_posterior = self._score(ask(after, OBSERVE), texts)
        log_likelihood: list[float | None] = [None] * len(texts)
        if request.verify:
            with self._timed("verify", seconds):
                log_likelihood = [*self._verify([ask(after, render_verify(text)) for text in texts])]
        lengths = [len(self._loaded.layout.answer(0, text)) for text in texts]
        scores = tuple(map(Scores, texts, lengths, log_prior, log_posterior, log_likelihood))
        joined = len(texts) > num_before
        return Assessment(scores, caption, not request.hypotheses, seconds, joined=joined)

    @abstractmethod
    def _draw(self, ask: Ask, request: Request) -> list[list[int]]:
        """Token ids of N answers."""

    @abstractmethod
    def _score(self, ask: Ask, texts: Sequence[str]) -> list[float]:
        """Log-probability of each answer."""

    @abstractmethod
    def _verify(self, asks: Sequence[Ask]) -> list[float]:
        """log P(yes) of each question."""

    def _score_row(self, row: Row, texts: Sequence[str]) -> list[float]:
        answers = [self._loaded.layout.answer(row.span.next_position, text) for text in texts]
        return score_answers(self._loaded, row, answers)


class PublishedEngine(Procedure):
    """One hypothesis after the other, and one forward of everything for each of their tokens."""

    def _draw(self, ask: Ask, request: Request) -> list[list[int]]:
        draws = Draws(request.sampling, request.seed)
        return [
            self._write(ask(), draws.chooser(slice(number, number + 1)), request.sampling.max_hypothesis_tokens)
            for number in range(request.sampling.num_hypotheses)
        ]

    def _write(self, prompt: Prompt, choose: Chooser, max_tokens: int) -> list[int]:
        layout = self._loaded.layout
        suppressed = torch.tensor(self._loaded.suppressed, dtype=torch.long, device=self._loaded.device)
        ids: list[int] = []
        while len(ids) < max_tokens:
            row = prompt.row()
            hidden = run_rows(self._loaded, [row.extended(text_span(row.span.next_position, ids))])
            logits = project(self._loaded, hidden[:, -1]).index_fill(1, suppressed, -torch.inf)
            token_id = int(choose(logits))
            if token_id == layout.special.end:
                break
            ids.append(token_id)
        return ids

    def _score(self, ask: Ask, texts: Sequence[str]) -> list[float]:
        return [score for text in texts for score in self._score_row(ask().row(), [text])]

    def _verify(self, asks: Sequence[Ask]) -> list[float]:
        return [score for ask in asks for score in self._choose_yes([ask().row()])]


class NaiveEngine(Procedure):
    """A cache within a call and batches, but every call begins at the pixels."""

    def _draw(self, ask: Ask, request: Request) -> list[list[int]]:
        sampling = request.sampling
        choose = Draws(sampling, request.seed).chooser(slice(0, sampling.num_hypotheses))
        row = ask().row()
        return generate(self._loaded, row, choose, sampling.num_hypotheses, sampling.max_hypothesis_tokens)

    def _score(self, ask: Ask, texts: Sequence[str]) -> list[float]:
        return self._score_row(ask().row(), texts)

    def _verify(self, asks: Sequence[Ask]) -> list[float]:
        # All questions are about the same frames, so one pass of the tower serves the batch.
        prompts = [ask() for ask in asks]
        blocks = prompts[0].row().blocks
        return self._choose_yes([Row(prompt.span, blocks) for prompt in prompts])
