package pdffile

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"licensekit/exporter/render/typeset"
)

func TestFinishMissesAnnouncedObjects(t *testing.T) {
	f := New(&bytes.Buffer{})
	f.Announce()
	err := f.Finish(f.AddNew("<<>>"), f.AddNew("<<>>"), [16]byte{})
	if err == nil || !strings.Contains(err.Error(), "object 1") {
		t.Errorf("Finish: %v, want an error that names object 1", err)
	}
}

type failing struct{ err error }

func (w failing) Write([]byte) (int, error) { return 0, w.err }

func TestErrorsOfTheWriterComeBack(t *testing.T) {
	broken := errors.New("broken")
	f := New(failing{broken})
	f.AddStream(f.Announce(), "", bytes.Repeat([]byte("incompressible? no"), 10))
	err := f.CopyStream(f.Announce(), "", strings.NewReader("data"))
	if end := f.Finish(1, 1, [16]byte{}); !errors.Is(end, broken) {
		t.Errorf("CopyStream: %v, Finish: %v; want %v", err, end, broken)
	}
}

func TestCanvasNumbers(t *testing.T) {
	for points, want := range map[float64]string{0: "0 ", 1: "1 ", 0.5: "0.5 ", 12.34: "12.34 ", -0.05: "-0.05 ", 100: "100 ", 10.106: "10.11 "} {
		var c Canvas
		c.number(hundredths(points))
		if got := string(c.Bytes()); got != want {
			t.Errorf("%v points are written %q, want %q", points, got, want)
		}
	}
}

// Codes whose bytes mean something in a string are escaped.
func TestCanvasEscapes(t *testing.T) {
	var c Canvas
	for _, code := range []uint16{'(', ')', '\\', '\r', '\n', 'A', '(' << 8} {
		c.codes([]typeset.Glyph{{Code: code}})
	}
	want := "(\x00\\()(\x00\\))(\x00\\\\)(\x00\\r)(\x00\n)(\x00A)(\\(\x00)"
	if got := string(c.Bytes()); got != want {
		t.Errorf("codes are written %q, want %q", got, want)
	}
}

func TestText(t *testing.T) {
	if got, want := Text("Aé😀)"), "<feff004100e9d83dde000029>"; got != want {
		t.Errorf("Text gives %s, want %s", got, want)
	}
}
