package report

import "io"

// FlushAt is the size, in bytes, at which encoders write what they have
// gathered: large enough for the disk, small enough for a processor's cache.
const FlushAt = 256 << 10

// Exchanger is a writer that takes a buffer over instead of copying it, and
// gives an empty one for it. The error may be of an earlier write.
type Exchanger interface {
	Exchange(full []byte) (empty []byte, err error)
}

// Output gathers the text of an encoder before it is written.
type Output struct {
	Buf []byte // what was not written yet; an encoder appends to it
	w   io.Writer
}

// NewOutput begins with an empty buffer.
func NewOutput(w io.Writer) *Output { return &Output{w: w} }

// Flush writes the buffer once it holds at least so many bytes.
func (o *Output) Flush(least int) error {
	if len(o.Buf) < least {
		return nil
	}
	if w, ok := o.w.(Exchanger); ok {
		var err error
		o.Buf, err = w.Exchange(o.Buf)
		return err
	}
	_, err := o.w.Write(o.Buf)
	o.Buf = o.Buf[:0]
	return err
}
