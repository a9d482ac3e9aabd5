package ledger

// entry is a key and what it stands for: an id's hash and its sequence in the
// id index, a time and a row where activities are put in order.
type entry struct{ key, value uint64 }

// sortByKey orders entries by key and keeps the order of equal keys. It may
// use scratch, which must be as long, and returns the one of the two that
// holds the result. Where few entries stand behind one with a greater key, as
// in a ledger that mostly grows in the order of time, only those are sorted.
func sortByKey(entries, scratch []entry) []entry {
	ordered, late := setAside(entries, scratch)
	if ordered+late < len(entries) {
		return radixSort(entries, scratch)
	}
	mergeLate(entries, ordered, radixSort(scratch[:late], scratch[late:2*late]))
	return entries
}

// setAside moves entries that follow one with a greater key to scratch, and the
// others together. Where those would be too many it gives up: the entries are
// then in another order than they were, but equal keys are not.
func setAside(entries, scratch []entry) (ordered, late int) {
	highest := uint64(0)
	for i, e := range entries {
		switch {
		case e.key >= highest:
			highest = e.key
			entries[ordered] = e
			ordered++
		case late == len(entries)/8:
			copy(entries[ordered:i], scratch[:late])
			return ordered, late
		default:
			scratch[late] = e
			late++
		}
	}
	return ordered, late
}

// mergeLate merges late entries, which are in order, into the ones before the
// gap that they left, from behind. Of equal keys a late one stood behind the
// others, or it would not have been late.
func mergeLate(entries []entry, ordered int, late []entry) {
	for end := len(entries); len(late) > 0; end-- {
		last := late[len(late)-1]
		if ordered > 0 && entries[ordered-1].key > last.key {
			ordered--
			entries[end-1] = entries[ordered]
			continue
		}
		entries[end-1] = last
		late = late[:len(late)-1]
	}
}

// radixSort is sortByKey for entries in any order. Digits in which all keys
// agree cost one pass over nothing.
func radixSort(entries, scratch []entry) []entry {
	if len(entries) == 0 {
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
