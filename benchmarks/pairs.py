"""Two programs timed in turn, each in a process of its own: A B A B, so that a machine that drifts drifts for both.

    row = compare("style_step 300x400", ours, "pytorch", peer, pairs=7)

`ours` and `peer` are (function, arguments); the function prepares and returns a callable `step() -> result`. It runs once to
warm up; then the results are compared, and only then time is measured. Peak memory is each process's own.
"""

import multiprocessing
import resource
import statistics
import sys
import time


REST = 0.3                     # seconds before each step: threads of the other side may spin for a while before they sleep


def _serve(pipe, function, arguments):
    """The life of one process: prepare, then a step for every word that comes, until None."""
    try:
        step = function(*arguments)
        pipe.send(("result", step()))
        while pipe.recv() is not None:
            begun = time.perf_counter()
            step()
            seconds = time.perf_counter() - begun
            pipe.send((seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2 ** 20 if sys.platform == "darwin" else 2 ** 10)))
    except BaseException as e:
        pipe.send(("error", f"{type(e).__name__}: {e}"))


class Process:
    """One side of a comparison."""

    def __init__(self, function, arguments):
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, function, arguments), daemon=True)
        self.process.start()
        kind, self.result = self.pipe.recv()
        if kind == "error":
            raise RuntimeError(self.result)

    def time(self):
        """Seconds of one step, and peak megabytes so far."""
        time.sleep(REST)
        self.pipe.send("step")
        answer = self.pipe.recv()
        if answer[0] == "error":
            raise RuntimeError(answer[1])
        return answer

    def end(self):
        self.pipe.send(None)
        self.process.join()


def compare(case, ours, peer_name, peer, same, pairs=7):
    """{case, peer, ours_s, peer_s, ratio, ours_mb, peer_mb}: medians of alternated pairs, after same(result, result) held.

    Without a peer (None) its columns are None.
    """
    sides = [Process(*ours)] + ([Process(*peer)] if peer else [])
    if peer:
        same(sides[0].result, sides[1].result)
    times = [[side.time() for side in sides] for _ in range(pairs + 1)][1:]
    for side in sides:
        side.end()
    ours_s, ours_mb = (statistics.median(column) for column in zip(*(pair[0] for pair in times)))
    row = dict(case=case, peer=peer_name if peer else None, ours_s=ours_s, peer_s=None, ratio=None, ours_mb=ours_mb, peer_mb=None)
    if peer:
        row["peer_s"], row["peer_mb"] = (statistics.median(column) for column in zip(*(pair[1] for pair in times)))
        row["ratio"] = row["peer_s"] / ours_s
    return row


def show(row):
    """One row as a line."""
    text = f"{row['case']:24} ours {row['ours_s']:7.3f} s {row['ours_mb']:6.0f} MB"
    if row["peer"]:
        text += (f"   {row['peer']} {row['peer_s']:7.3f} s {row['peer_mb']:6.0f} MB   ratio {row['ratio']:.2f}, "
                 f"memory {row['ours_mb'] / row['peer_mb']:.2f}")
    print(text, flush=True)
