package ledger

// entry is a key and what it stands for: an id's hash and its sequence in the
// id index, a time and a row where activities are put in order.
type entry struct{ key, value uint64 }

// sortByKey orders entries by key and keeps the order of equal keys. It may
// use scratch, which must be as long, and returns the one of the two that
// holds the result. Digits in which all keys agree cost one pass over nothing.
func sortByKey(entries, scratch []entry) []entry {
	if isSorted(entries) {
		return entries
	}
	var counts [8][256]int
	for _, e := range entries {
		for digit := range counts {
			counts[digit][byte(e.key>>(8*digit))]++
		}
	}
	for digit := range counts {
		shift := 8 * digit
		if counts[digit][byte(entries[0].key>>shift)] == len(entries) {
			continue
		}
		next := starts(&counts[digit])
		for _, e := range entries {
			b := byte(e.key >> shift)
			scratch[next[b]] = e
			next[b]++
		}
		entries, scratch = scratch, entries
	}
	return entries
}

// starts turns counts into the position at which each digit's entries begin.
func starts(counts *[256]int) (next [256]int) {
	sum := 0
	for i, n := range counts {
		next[i] = sum
		sum += n
	}
	return next
}

func isSorted(entries []entry) bool {
	for i := 1; i < len(entries); i++ {
		if entries[i].key < entries[i-1].key {
			return false
		}
	}
	return true
}
