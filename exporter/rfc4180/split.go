package rfc4180

import "bytes"

// split cuts the record at the start of the window into r.record and gives its
// size, line end included, or incomplete. An empty line in lenient reading has
// a size and no fields.
func (r *Reader) split(window []byte) (size int, fault *SyntaxError) {
	r.record, r.doubled, r.field = r.record[:0], r.doubled[:0], 0
	end := bytes.IndexByte(window, '\n')
	switch {
	case len(window) == 0, end < 0 && r.mayGrow(window):
		return incomplete, nil
	case end >= 0 && bytes.IndexByte(window[:end], '"') < 0:
		return r.splitPlain(window, end)
	}
	return r.splitFields(window)
}

// splitPlain cuts a line that holds no quote and ends with the LF at end.
func (r *Reader) splitPlain(window []byte, end int) (size int, fault *SyntaxError) {
	size = end + 1
	if end > 0 && window[end-1] == '\r' {
		end--
	}
	if r.strict {
		if fault := r.checkPlain(window, end, size); fault != nil {
			return 0, fault
		}
	}
	if end == 0 {
		return size, nil
	}
	rest := window[:end:end]
	for {
		i := bytes.IndexByte(rest, r.delimiter)
		if i < 0 {
			break
		}
		r.record = append(r.record, rest[:i:i])
		rest = rest[i+1:]
	}
	r.record = append(r.record, rest)
	return size, nil
}

// checkPlain refuses a line of size bytes, text up to end and then the line
// end, that the writer would not have written.
func (r *Reader) checkPlain(window []byte, end, size int) *SyntaxError {
	if cr := bytes.IndexByte(window[:end], '\r'); cr >= 0 {
		return r.fault(window, cr, bareCR)
	}
	switch {
	case size-end == 1:
		return r.fault(window, end, lineFeedOnly)
	case end == 0:
		return r.fault(window, 0, emptyLine)
	}
	return nil
}

// splitFields cuts a record that may hold quotes, field by field.
func (r *Reader) splitFields(window []byte) (size int, fault *SyntaxError) {
	for at := 0; ; at++ {
		r.field = at
		if at < len(window) && window[at] == '"' {
			at, fault = r.splitQuoted(window)
		} else {
			at, fault = r.splitUnquoted(window)
		}
		switch {
		case fault != nil:
			return 0, fault
		case at == incomplete:
			return incomplete, nil
		case at == len(window):
			return r.endWindow(window)
		case window[at] != r.delimiter:
			return r.endLine(window, at)
		}
	}
}

// splitUnquoted cuts the field at r.field and gives the place of what ends it:
// a delimiter, a line end, or the end of the window.
func (r *Reader) splitUnquoted(window []byte) (end int, fault *SyntaxError) {
	end = r.field + plainLength(window[r.field:], r.delimiter)
	if end < len(window) && window[end] == '"' {
		return 0, r.fault(window, end, bareQuote)
	}
	if end == len(window) { // a CR here may be half of a line end
		r.record = append(r.record, window[r.field:end:end])
		return end, nil
	}
	if window[end] == '\n' && end > r.field && window[end-1] == '\r' {
		end--
	}
	text := window[r.field:end:end]
	if r.strict {
		if cr := bytes.IndexByte(text, '\r'); cr >= 0 {
			return 0, r.fault(window, r.field+cr, bareCR)
		}
	}
	r.record = append(r.record, text)
	return end, nil
}

// plainLength counts the bytes before the first delimiter, quote or LF.
func plainLength(text []byte, delimiter byte) int {
	for i, c := range text {
		if c == delimiter || c == '"' || c == '\n' {
			return i
		}
	}
	return len(text)
}

// splitQuoted cuts the field whose opening quote is at r.field and gives the
// place of what follows the closing one, or incomplete.
func (r *Reader) splitQuoted(window []byte) (end int, fault *SyntaxError) {
	end, doubled := closeQuote(window, r.field+1)
	if end < 0 {
		return r.endWindowInQuotes(window)
	}
	rest := window[end:]
	switch {
	case r.isLast(window):
	case len(rest) == 0, len(rest) == 1 && rest[0] == '\r':
		// Half of a doubled quote, perhaps, or half of a line end.
		return r.beyond(window)
	}
	if !r.endsField(rest) {
		return 0, r.trailing(window, end)
	}
	text := window[r.field+1 : end-1 : end-1]
	if doubled {
		r.doubled = append(r.doubled, len(r.record))
	} else if r.strict && !NeedsQuotes(text) && !r.loneEmpty(text, rest) {
		return 0, r.fault(window, r.field, needlessQuote)
	}
	r.record = append(r.record, text)
	return end, nil
}

// closeQuote gives the place behind the quote that closes the text at the given
// one, negative without such a quote, and whether it passed doubled quotes.
func closeQuote(window []byte, at int) (end int, doubled bool) {
	for {
		quote := bytes.IndexByte(window[at:], '"')
		if quote < 0 {
			return -1, doubled
		}
		at += quote + 1
		if at == len(window) || window[at] != '"' {
			return at, doubled
		}
		doubled = true
		at++
	}
}

// endsField tells whether a closing quote may stand before rest.
func (r *Reader) endsField(rest []byte) bool {
	return len(rest) == 0 || rest[0] == r.delimiter || rest[0] == '\n' ||
		len(rest) > 1 && rest[0] == '\r' && rest[1] == '\n'
}

// loneEmpty tells whether a quoted text before rest is the only field of its
// record, and empty.
func (r *Reader) loneEmpty(text, rest []byte) bool {
	return r.field == 0 && len(text) == 0 && (len(rest) == 0 || rest[0] != r.delimiter)
}

// endLine finishes a record whose line end is at the given place.
func (r *Reader) endLine(window []byte, at int) (size int, fault *SyntaxError) {
	if window[at] == '\r' {
		return at + len(LineEnd), nil
	}
	if r.strict {
		return 0, r.fault(window, at, lineFeedOnly)
	}
	return at + 1, nil
}

// trailing is the fault of text behind the closing quote that ends at end.
func (r *Reader) trailing(window []byte, end int) *SyntaxError {
	fault := r.fault(window, end, "")
	fault.Problem = trailing(r.fault(window, r.field, "").Line, fault.Line)
	return fault
}

// fault is a problem at a place in the window.
func (r *Reader) fault(window []byte, at int, problem string) *SyntaxError {
	before := window[:at]
	return &SyntaxError{
		Line:    r.line + bytes.Count(before, []byte{'\n'}),
		Column:  at - bytes.LastIndexByte(before, '\n'),
		Problem: problem,
	}
}

// undouble turns each pair of quotes into one, in place.
func undouble(text []byte) []byte {
	n := bytes.IndexByte(text, '"')
	for i := n; i < len(text); i++ {
		if text[i] == '"' {
			i++
		}
		text[n] = text[i]
		n++
	}
	return text[:n]
}
