//go:build cgo

package mupdf

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Version is that of the MuPDF that is linked in.
const Version = "1.24.9"

// MaxFile bounds the files that are read, in bytes: they are held in memory.
const MaxFile = 512 << 20

// ErrNoPage says that the file has no such page.
var ErrNoPage = errors.New("there is no such page")

// Texts is the text of the pages of a file, read in order.
type Texts struct {
	process *process
	count   int
	next    int
}

// OpenTexts begins to read the text of all pages of a file of a size. It is
// extracted while it is read. Who opens it closes it.
func OpenTexts(ctx context.Context, r io.ReaderAt, size int64) (*Texts, error) {
	return openTexts(ctx, r, size, limitsFor(size))
}

func openTexts(ctx context.Context, r io.ReaderAt, size int64, l limits) (*Texts, error) {
	p, count, err := open(ctx, job{Task: giveTexts, Size: size, Limits: l}, r)
	if err != nil {
		return nil, err
	}
	return &Texts{process: p, count: count}, nil
}

// Count is how many pages the file has.
func (t *Texts) Count() int { return t.count }

// Next gives the text of the next page, in the order in which it was drawn.
// After the last page the error is io.EOF.
func (t *Texts) Next() (string, error) {
	if t.next == t.count {
		return "", io.EOF
	}
	t.next++
	text, err := t.process.answer()
	return string(text), err
}

// Close ends the process, however far it got.
func (t *Texts) Close() { t.process.end() }

// Draw draws a page, counted from 0, as a PNG picture, and says how many pages
// there are. Errors: [ErrNoPage].
func Draw(ctx context.Context, r io.ReaderAt, size int64, page int, dpi float64) (picture []byte, pages int, err error) {
	p, pages, err := open(ctx, job{Task: drawPage, Page: int64(page), DPI: dpi, Size: size, Limits: limitsFor(size)}, r)
	if err != nil {
		return nil, 0, err
	}
	defer p.end()
	picture, err = p.answer()
	return picture, pages, err
}

// open gives a file to a process, and counts its pages.
func open(ctx context.Context, j job, r io.ReaderAt) (*process, int, error) {
	p, err := ask(ctx, j, r)
	if err != nil {
		return nil, 0, err
	}
	text, err := p.answer()
	if err == nil && len(text) != 8 {
		err = p.fail(fmt.Errorf("%d bytes are no number of pages", len(text)))
	}
	if err != nil {
		p.end()
		return nil, 0, err
	}
	count := binary.BigEndian.Uint64(text)
	if count > MaxFile { // each takes some bytes
		p.end()
		return nil, 0, fmt.Errorf("%w: %d pages", ErrUnread, count)
	}
	return p, int(count), nil
}
