//go:build cgo

package mupdf

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"
)

// job is what a process is started for. It is written to its standard input,
// followed, once it has answered, by the file.
type job struct {
	Magic  [8]byte
	Task   task
	Page   int64   // to draw, from 0
	DPI    float64 // to draw with
	Size   int64   // of the file, bytes
	Limits limits
}

var magic = [8]byte{'m', 'u', 'p', 'd', 'f', ' ', '1', '\n'}

// task is what to do with a file.
type task uint64

const (
	giveTexts task = iota + 1 // the text of each page, in order
	drawPage                  // one page as a picture
	runProbe                  // a test's own
)

// limits bound a process.
type limits struct {
	Memory int64         // bytes of address space, beyond what it begins with
	CPU    time.Duration // of its threads together, whole seconds
	Answer time.Duration // for each answer
}

// limitsFor are the limits for a file of a size. A ledger of 100,000 rows has 20
// MB and takes some 5 s and 300 MiB, of which 256 are MuPDF's cache when full.
func limitsFor(size int64) limits {
	return limits{Memory: 1<<30 + 4*size, CPU: time.Minute + time.Duration(size>>18)*time.Second, Answer: time.Minute}
}

// answer is what the process says: each is a byte, the length of what follows,
// and that.
type answer byte

const (
	done    answer = 'd'
	failed  answer = 'f' // text says why
	missing answer = 'm' // there is no such page
)

// maxAnswer is the longest answer that is taken, in bytes: pages of text and
// pictures are far smaller.
const maxAnswer = 128 << 20

var errLong = fmt.Errorf("an answer of more than %d bytes", maxAnswer)

func writeAnswer(w io.Writer, kind answer, text []byte) error {
	head := binary.BigEndian.AppendUint32([]byte{byte(kind)}, uint32(len(text)))
	if _, err := w.Write(head); err != nil {
		return err
	}
	_, err := w.Write(text)
	return err
}

func readAnswer(r io.Reader) (kind answer, text []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	size := binary.BigEndian.Uint32(head[1:])
	if size > maxAnswer {
		return 0, nil, errLong
	}
	text = make([]byte, size)
	_, err = io.ReadFull(r, text)
	return answer(head[0]), text, err
}
