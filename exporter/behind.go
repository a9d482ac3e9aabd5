package exporter

import (
	"io"
	"sync/atomic"

	"licensekit/exporter/report"
)

// behindDepth is how many chunks a producer may be ahead of the writer.
const behindDepth = 8

// writeBehind runs produce with a writer that copies what it is given, or takes
// it over, and writes it on another goroutine, so that rendering and hashing
// each have a processor. It returns once all is written, with the first error
// of either.
func writeBehind(w io.Writer, produce func(io.Writer) error) error {
	b := &behind{chunks: make(chan []byte, behindDepth), free: make(chan []byte, behindDepth)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.drain(w)
	}()
	err := produce(b)
	close(b.chunks)
	<-done
	if failure := b.failure.Load(); failure != nil {
		return *failure
	}
	return err
}

// behind hands chunks from a producer to a writer, and empty ones back.
type behind struct {
	chunks, free chan []byte
	failure      atomic.Pointer[error] // the writer's first error
}

var _ report.Exchanger = (*behind)(nil)

// Write takes a copy of p. Its error may be of an earlier chunk.
func (b *behind) Write(p []byte) (int, error) {
	if failure := b.failure.Load(); failure != nil {
		return 0, *failure
	}
	b.chunks <- append(b.empty(), p...)
	return len(p), nil
}

// Exchange takes a chunk over.
func (b *behind) Exchange(full []byte) (empty []byte, err error) {
	if failure := b.failure.Load(); failure != nil {
		return full[:0], *failure
	}
	b.chunks <- full
	return b.empty(), nil
}

// empty gives a chunk that was written, nil if there is none.
func (b *behind) empty() []byte {
	select {
	case chunk := <-b.free:
		return chunk[:0]
	default:
		return nil
	}
}

// drain writes until the producer is done. After an error it only empties the
// channel, so that the producer never waits for ever.
func (b *behind) drain(w io.Writer) {
	for chunk := range b.chunks {
		if b.failure.Load() != nil {
			continue
		}
		if _, err := w.Write(chunk); err != nil {
			b.failure.Store(&err)
			continue
		}
		select {
		case b.free <- chunk:
		default:
		}
	}
}
