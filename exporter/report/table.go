package report

// Table holds the encoded forms of the values of a coded column, so that each
// is encoded once per batch and copied for each row.
type Table struct {
	text []byte
	ends []int // ends[i] is where value i ends in text
}

// Encode fills the table anew: encode appends a value's form.
func (t *Table) Encode(values []string, encode func(buf []byte, value string) []byte) {
	t.text, t.ends = t.text[:0], t.ends[:0]
	for _, value := range values {
		t.text = encode(t.text, value)
		t.ends = append(t.ends, len(t.text))
	}
}

// Form is the encoded form of a value, by its code.
func (t *Table) Form(code uint32) []byte {
	start := 0
	if code > 0 {
		start = t.ends[code-1]
	}
	return t.text[start:t.ends[code]]
}
