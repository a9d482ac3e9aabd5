package intake

import (
	"bufio"
	"bytes"
	"io"
)

// readNDJSON reads a JSON object per line. Lines of white space are skipped;
// any other line that is no object is a rejected row.
func readNDJSON(in *source, w *writer) error {
	text, err := in.text()
	if err != nil {
		return err
	}
	lines := lineReader{in: text, limit: w.limits.RowBytes}
	rows := newObjectRow(w)
	any := false
	for {
		data, tooLong, err := lines.next()
		if err == io.EOF && !any {
			return &FileError{Code: CodeEmptyFile, Message: "the file has no line but empty ones"}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return in.broken(err)
		}
		switch {
		case tooLong:
			err = w.reject(lines.line, faultf(CodeMalformedRow, "is longer than %d bytes", lines.limit))
		case len(bytes.TrimLeft(data, " \t\r\n")) == 0:
			continue
		default:
			err = rows.line(data, lines.line)
		}
		if any = true; err != nil {
			return err
		}
	}
}

// line reads a line that is a row.
func (r *objectRow) line(data []byte, line int64) error {
	r.writer.start()
	bad, malformed := r.read(data)
	if malformed != nil {
		bad = faultf(CodeMalformedRow, "%s (byte %d)", malformed.problem, malformed.pos+1)
	}
	return r.writer.end(line, len(data), bad)
}

// lineReader reads lines, in memory that is bounded by its limit.
type lineReader struct {
	in    *bufio.Reader
	limit int
	line  int64 // of what next gave
	long  []byte
}

// next gives a line without its end, valid until the next call. One beyond the
// limit is passed over. A last line counts although no line end follows it.
func (r *lineReader) next() (data []byte, tooLong bool, err error) {
	r.line++
	data, err = r.in.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		data, tooLong, err = r.rest(data)
	}
	if err == io.EOF && len(data) > 0 {
		err = nil
	}
	data = bytes.TrimSuffix(data, []byte{'\n'})
	return data, tooLong || len(data) > r.limit, err
}

// rest reads on in a line that is longer than the buffer.
func (r *lineReader) rest(start []byte) (data []byte, tooLong bool, err error) {
	r.long = append(r.long[:0], start...)
	err = bufio.ErrBufferFull
	for err == bufio.ErrBufferFull {
		var more []byte
		more, err = r.in.ReadSlice('\n')
		if tooLong = tooLong || len(r.long)+len(more) > r.limit+1; !tooLong {
			r.long = append(r.long, more...)
		}
	}
	return r.long, tooLong, err
}
