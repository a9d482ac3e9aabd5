//go:build cgo

package mupdf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/gen2brain/go-fitz"
)

// variable is set in processes that were started to read a file.
const variable = "LICENSEKIT_READS_PAGES"

// init is the whole life of such a process; see the package's doc for why it is
// here.
func init() {
	if os.Getenv(variable) == "" {
		return
	}
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// serve does a job. An error has not been answered.
func serve(in io.Reader, out io.Writer) error {
	var j job
	if err := binary.Read(in, binary.BigEndian, &j); err != nil || j.Magic != magic || j.Size < 0 {
		return fmt.Errorf("%s is set, but nobody asks for pages: %v", variable, err)
	}
	if err := confine(j.Limits); err != nil {
		return writeAnswer(out, failed, fmt.Appendf(nil, "the process can't be confined: %v", err))
	}
	if err := writeAnswer(out, done, nil); err != nil {
		return err
	}
	content := make([]byte, j.Size)
	if _, err := io.ReadFull(in, content); err != nil {
		return err
	}
	err := j.do(content, out)
	if problem, told := errors.AsType[refusal](err); told {
		return writeAnswer(out, problem.kind, []byte(problem.text))
	}
	return err
}

// refusal is an error that is an answer.
type refusal struct {
	kind answer
	text string
}

func (r refusal) Error() string { return r.text }

func refuse(kind answer, format string, args ...any) error {
	return refusal{kind, fmt.Sprintf(format, args...)}
}

// probe is what a test does in the process.
var probe func(page int64) []byte

func (j *job) do(content []byte, out io.Writer) error {
	if j.Task == runProbe && probe != nil {
		return writeAnswer(out, done, probe(j.Page))
	}
	if !bytes.HasPrefix(content, []byte("%PDF-")) {
		return refuse(failed, "it is no PDF")
	}
	file, err := fitz.NewFromMemory(content)
	if err != nil {
		return refuse(failed, "%v", err)
	}
	count := file.NumPage()
	if err := writeAnswer(out, done, binary.BigEndian.AppendUint64(nil, uint64(count))); err != nil {
		return err
	}
	switch j.Task {
	case giveTexts:
		return texts(file, count, out)
	case drawPage:
		return j.draw(file, count, out)
	}
	return refuse(failed, "task %d is not known", j.Task)
}

func texts(file *fitz.Document, count int, out io.Writer) error {
	for page := range count {
		text, err := file.Text(page)
		if err != nil {
			return refuse(failed, "%v", err)
		}
		if err := writeAnswer(out, done, []byte(text)); err != nil {
			return err
		}
	}
	return nil
}

// maxSide is the most pixels that a picture has on one side.
const maxSide = 4096

func (j *job) draw(file *fitz.Document, count int, out io.Writer) error {
	if j.Page < 0 || j.Page >= int64(count) {
		return refuse(missing, "")
	}
	page := int(j.Page)
	bounds, err := file.Bound(page)
	if err != nil {
		return refuse(failed, "%v", err)
	}
	if longest := float64(max(bounds.Dx(), bounds.Dy())) * j.DPI / 72; !(j.DPI > 0 && longest <= maxSide) {
		return refuse(failed, "%v dpi give %.0f pixels on a side; the limit is %d", j.DPI, longest, maxSide)
	}
	picture, err := file.ImagePNG(page, j.DPI)
	if err != nil {
		return refuse(failed, "%v", err)
	}
	return writeAnswer(out, done, picture)
}
