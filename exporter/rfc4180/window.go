package rfc4180

import (
	"fmt"
	"io"
)

// incomplete stands for a place that lies beyond the window, in input that is
// still to be read.
const incomplete = -1

// window is what waits to be read, up to the longest record allowed. That
// nothing beyond is looked at makes the outcome independent of how the source
// cuts its input.
func (r *Reader) window() []byte {
	waiting := r.input.waiting()
	return waiting[:min(len(waiting), r.limit)]
}

// more reads on after a window of some bytes held no whole record. A record is
// split anew after each call; that large ones ask for more at a time bounds
// this work.
func (r *Reader) more(had int) {
	if r.input.err == nil {
		r.input.fill(1 + had/8)
		return
	}
	r.err = r.input.err
	if r.err != io.EOF {
		r.err = fmt.Errorf("read csv record on line %d: %w", r.line, r.err)
	}
}

// isLast tells whether the input ends where the window does. Of a window at
// the limit that is never said, whether or not the source has told already.
func (r *Reader) isLast(window []byte) bool {
	return len(window) < r.limit && r.input.err == io.EOF
}

// mayGrow tells whether there can be more in the window after reading on. A
// source that broke down counts, so that it is the breakdown that is reported.
func (r *Reader) mayGrow(window []byte) bool {
	return len(window) < r.limit && r.input.err != io.EOF
}

// endWindow judges a record that has no line end in the window.
func (r *Reader) endWindow(window []byte) (size int, fault *SyntaxError) {
	if !r.isLast(window) {
		return r.beyond(window)
	}
	if r.strict {
		return 0, r.fault(window, len(window), noLineEnd)
	}
	return len(window), nil
}

// endWindowInQuotes judges a quoted field that does not close in the window.
func (r *Reader) endWindowInQuotes(window []byte) (end int, fault *SyntaxError) {
	switch {
	case r.mayGrow(window):
		return incomplete, nil
	case r.isLast(window):
		return 0, r.fault(window, r.field, unclosed)
	}
	fault = r.fault(window, r.field, unclosedWithin(r.limit))
	fault.cause = ErrTooLong
	return 0, fault
}

// beyond is the answer where only input behind the window could tell.
func (r *Reader) beyond(window []byte) (int, *SyntaxError) {
	if r.mayGrow(window) {
		return incomplete, nil
	}
	fault := r.fault(window, 0, tooLong(r.limit))
	fault.cause = ErrTooLong
	return 0, fault
}
