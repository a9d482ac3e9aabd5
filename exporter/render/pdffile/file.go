// Package pdffile writes PDF files (ISO 32000-1, version 1.7) from front to
// back: whatever was added is written, and what stays in memory is where each
// object begins. So a file of many thousand pages needs no more memory than
// one of a few.
//
// The same calls give the same bytes: there is no clock and nothing random.
// The package knows objects, streams, embedded fonts and the cross-reference
// table; what the objects say is the caller's business.
package pdffile

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"encoding/hex"
	"fmt"
	"io"
	"unicode/utf16"
)

// Ref numbers an object.
type Ref int

// String is how other objects refer to it.
func (r Ref) String() string { return fmt.Sprintf("%d 0 R", int(r)) }

// File is a PDF that is being written. Errors of the writer are kept and come
// back from Err and Finish.
type File struct {
	out     *bufio.Writer
	size    int64
	offsets []int64 // where object i+1 begins, 0 for one that was only announced
	deflate *zlib.Writer
	packed  bytes.Buffer
}

// New begins a file. The second line tells transfer programs that it is not
// text.
func New(w io.Writer) *File {
	deflate, _ := zlib.NewWriterLevel(nil, zlib.BestSpeed)
	f := &File{out: bufio.NewWriterSize(w, 64<<10), deflate: deflate}
	f.write([]byte("%PDF-1.7\n%\xB5\xB6\xB5\xB6\n"))
	return f
}

func (f *File) print(format string, args ...any) {
	n, _ := fmt.Fprintf(f.out, format, args...)
	f.size += int64(n)
}

func (f *File) write(p []byte) {
	n, _ := f.out.Write(p)
	f.size += int64(n)
}

// Err is what the writer failed with.
func (f *File) Err() error {
	_, err := f.out.Write(nil)
	return err
}

// Announce numbers an object that is added later.
func (f *File) Announce() Ref {
	f.offsets = append(f.offsets, 0)
	return Ref(len(f.offsets))
}

func (f *File) begin(r Ref) {
	f.offsets[r-1] = f.size
	f.print("%d 0 obj\n", int(r))
}

// Add writes an announced object.
func (f *File) Add(r Ref, format string, args ...any) {
	f.begin(r)
	f.print(format, args...)
	f.print("\nendobj\n")
}

// AddNew writes an object.
func (f *File) AddNew(format string, args ...any) Ref {
	r := f.Announce()
	f.Add(r, format, args...)
	return r
}

// AddStream writes data as a compressed stream; entries are those of its
// dictionary beside length and filter.
func (f *File) AddStream(r Ref, entries string, data []byte) {
	f.packed.Reset()
	f.deflate.Reset(&f.packed)
	f.deflate.Write(data)
	f.deflate.Close()
	f.begin(r)
	f.print("<</Length %d/Filter/FlateDecode%s>>\nstream\n", f.packed.Len(), entries)
	f.write(f.packed.Bytes())
	f.print("\nendstream\nendobj\n")
}

// CopyStream writes what r holds as a compressed stream. Its length is an
// object of its own, for it is known only afterwards.
func (f *File) CopyStream(ref Ref, entries string, r io.Reader) error {
	length := f.Announce()
	f.begin(ref)
	f.print("<</Length %v/Filter/FlateDecode%s>>\nstream\n", length, entries)
	start := f.size
	f.deflate.Reset(writerFunc(func(p []byte) (int, error) {
		f.write(p)
		return len(p), f.Err()
	}))
	if _, err := io.Copy(f.deflate, r); err != nil {
		return err
	}
	if err := f.deflate.Close(); err != nil {
		return err
	}
	end := f.size
	f.print("\nendstream\nendobj\n")
	f.Add(length, "%d", end-start)
	return nil
}

type writerFunc func([]byte) (int, error)

func (w writerFunc) Write(p []byte) (int, error) { return w(p) }

// Finish writes the cross-reference table. The id should be the same only for
// files with the same content.
func (f *File) Finish(catalog, info Ref, id [16]byte) error {
	start := f.size
	f.print("xref\n0 %d\n0000000000 65535 f \n", len(f.offsets)+1)
	for i, offset := range f.offsets {
		if offset == 0 {
			return fmt.Errorf("pdf object %d was announced and not added", i+1)
		}
		f.print("%010d 00000 n \n", offset)
	}
	f.print("trailer\n<</Size %d/Root %v/Info %v/ID[<%x><%x>]>>\nstartxref\n%d\n%%%%EOF\n",
		len(f.offsets)+1, catalog, info, id, id, start)
	return f.out.Flush()
}

// Text writes a string of text that readers show outside of the pages, such as
// a title: UTF-16 with a byte order mark.
func Text(text string) string {
	var b bytes.Buffer
	b.WriteString("<feff")
	for _, unit := range utf16.Encode([]rune(text)) {
		b.WriteString(hex.EncodeToString([]byte{byte(unit >> 8), byte(unit)}))
	}
	b.WriteString(">")
	return b.String()
}
