"""Histograms count exactly, wherever their buckets lie."""

from hypothesis import given, settings, strategies as st

from rollout.stats import histogram as histograms
from rollout.stats.histogram import EMPTY, Histogram

NEVER = 1 << 20
QUICK = settings(max_examples=100)
buckets = st.dictionaries(
    st.integers(0, 300) | st.just(NEVER), st.integers(1, 1000), min_size=1, max_size=20
)


def dense(sparse):
    return histograms.merged(EMPTY, sparse, NEVER)


@QUICK
@given(buckets, buckets)
def test_merging_adds_bucket_by_bucket(one, two):
    both = {at: one.get(at, 0) + two.get(at, 0) for at in {*one, *two}}

    merged = histograms.merged(dense(one), two, NEVER)

    assert histograms.total(merged) == sum(both.values())
    assert merged.never == both.get(NEVER, 0)
    for at, count in enumerate(merged.counts, merged.first):
        assert count == both.get(at, 0)


@QUICK
@given(buckets, st.sampled_from([0.01, 0.5, 0.9, 0.99, 1.0]))
def test_a_quantile_has_its_share_at_or_below(sparse, share):
    histogram = dense(sparse)
    total = sum(sparse.values())

    found = histograms.quantile(histogram, share)

    if found is None:
        assert sum(count for at, count in sparse.items() if at < NEVER) < share * total
    else:
        assert sum(count for at, count in sparse.items() if at <= found) >= share * total
        assert sum(count for at, count in sparse.items() if at < found) < share * total


@QUICK
@given(buckets, st.sampled_from([0.5, 0.1, 0.05, 0.01]))
def test_no_edge_has_a_tail_nearer_to_the_share(sparse, share):
    histogram, total = dense(sparse), sum(sparse.values())

    found = histograms.tail_edge(histogram, share)

    def miss(edge):
        return abs(sum(count for at, count in sparse.items() if at > edge) - share * total)

    if found is None:
        assert set(sparse) == {NEVER}
    else:
        assert miss(found) == min(map(miss, range(-1, 302)))


@QUICK
@given(buckets, st.lists(st.integers(-1, 310), min_size=1, max_size=5))
def test_slower_counts_what_lies_above(sparse, marks):
    found = histograms.slower(sparse, marks)

    assert found == tuple(sum(n for at, n in sparse.items() if at > mark) for mark in marks)


def test_nonsense_buckets_do_not_fill_the_memory():
    merged = histograms.merged(EMPTY, {NEVER - 1: 1, -5: 1}, NEVER)

    assert histograms.total(merged) == 2
    assert len(merged.counts) < 5000


def test_an_empty_histogram_has_no_quantile():
    assert histograms.quantile(EMPTY, 0.5) is None
    assert histograms.tail_edge(EMPTY, 0.5) is None
    assert histograms.merged(Histogram(3, (1,), 2), {}, NEVER) == Histogram(3, (1,), 2)
