package rfc4180

import "io"

const (
	firstBuffer = 64 << 10
	maxIdle     = 100 // reads in a row that give neither bytes nor an error
)

// buffer holds the input from the start of the current record on, as far as it
// was read ahead.
type buffer struct {
	source io.Reader
	data   []byte // data[next:] waits to be consumed
	next   int
	offset int64 // of data[next] in the input
	err    error // what the source ended with, io.EOF if well
}

func (b *buffer) waiting() []byte { return b.data[b.next:] }

func (b *buffer) consume(n int) {
	b.next += n
	b.offset += int64(n)
}

// fill reads until want more bytes wait, or fewer if the source ends before.
// It moves what waits, so slices handed out before become invalid.
func (b *buffer) fill(want int) {
	b.makeRoom(want)
	for idle := 0; want > 0 && b.err == nil; {
		n, err := b.source.Read(b.data[len(b.data):cap(b.data)])
		b.data = b.data[:len(b.data)+n]
		b.err = err
		want -= n
		if n > 0 {
			idle = 0
		} else if idle++; idle == maxIdle && err == nil {
			b.err = io.ErrNoProgress
		}
	}
}

// makeRoom moves what waits to the front and grows the buffer if that does not
// leave room for want more bytes.
func (b *buffer) makeRoom(want int) {
	waiting := b.waiting()
	if needed := len(waiting) + want; needed > cap(b.data) {
		grown := make([]byte, len(waiting), max(firstBuffer, 2*cap(b.data), needed))
		copy(grown, waiting)
		b.data = grown
	} else {
		b.data = b.data[:copy(b.data, waiting)]
	}
	b.next = 0
}
