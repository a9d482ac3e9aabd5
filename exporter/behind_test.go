package exporter

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
)

// A producer may use its buffer again at once, whatever the writer's pace.
func TestWriteBehindKeepsOrderAndBytes(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var got, want bytes.Buffer
	err := writeBehind(&got, func(w io.Writer) error {
		p := make([]byte, 3000)
		for range 500 {
			n := rng.IntN(len(p))
			for i := range p[:n] {
				p[i] = byte(rng.Uint32())
			}
			want.Write(p[:n])
			if _, err := w.Write(p[:n]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || !bytes.Equal(got.Bytes(), want.Bytes()) {
		t.Fatalf("error %v, %d bytes written, want %d of the same", err, got.Len(), want.Len())
	}
}

type fullAfter struct{ left int }

var errFull = errors.New("full")

func (f *fullAfter) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

// The writer's error ends the producer, also where it comes with the last chunk.
func TestWriteBehindReportsTheWriter(t *testing.T) {
	for _, chunks := range []int{1, 2, 10_000} {
		written := 0
		err := writeBehind(&fullAfter{left: 50}, func(w io.Writer) error {
			for range chunks {
				if _, err := w.Write(make([]byte, 100)); err != nil {
					return err
				}
				written++
			}
			return nil
		})
		if !errors.Is(err, errFull) {
			t.Errorf("%d chunks: error %v, want %v", chunks, err, errFull)
		}
		if written > 1000 {
			t.Errorf("%d chunks: the producer wrote %d after the failure", chunks, written)
		}
	}
}

// An error of the producer is told where the writer had none.
func TestWriteBehindReportsTheProducer(t *testing.T) {
	want := errors.New("no more rows")
	if err := writeBehind(io.Discard, func(io.Writer) error { return want }); !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
}
