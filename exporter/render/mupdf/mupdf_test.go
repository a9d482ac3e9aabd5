//go:build cgo

package mupdf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/png"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/gen2brain/go-fitz"
)

// pdf is a file of one page that does what content says, with other objects
// beside it, numbered from 5.
func pdf(content string, others ...string) []byte {
	objects := append([]string{
		"<</Type/Catalog/Pages 2 0 R>>",
		"<</Type/Pages/Kids[3 0 R]/Count 1>>",
		"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 100]/Contents 4 0 R/Resources<</Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>/XObject<</X 5 0 R>>>>>>",
		stream("", content),
	}, others...)
	var b bytes.Buffer
	b.WriteString("%PDF-1.7\n")
	var offsets []int
	for i, object := range objects {
		offsets = append(offsets, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, object)
	}
	start := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, offset := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", offset)
	}
	fmt.Fprintf(&b, "trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, start)
	return b.Bytes()
}

func stream(entries, content string) string {
	return fmt.Sprintf("<<%s/Length %d>>stream\n%s\nendstream", entries, len(content), content)
}

func text(words string) string { return "BT /F 12 Tf 10 50 Td (" + words + ") Tj ET" }

// nested draws a form that draws another one ten times, and so on, down to one
// that does what content says.
func nested(depth int, content string) []byte {
	const form = "/Type/XObject/Subtype/Form/BBox[0 0 200 100]"
	var forms []string
	for i := range depth {
		forms = append(forms, stream(fmt.Sprintf("%s/Resources<</XObject<</X %d 0 R>>>>", form, i+6), strings.Repeat("/X Do ", 10)))
	}
	return pdf("/X Do", append(forms, stream(form+"/Resources<</Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>", content))...)
}

// endless takes longer than anybody waits, hungry more memory than there is.
var (
	endless = nested(30, "0 0 1 1 re f")
	hungry  = nested(5, text(strings.Repeat("all work and no play ", 500)))
)

func all(ctx context.Context, file []byte, l limits) (texts []string, err error) {
	pages, err := openTexts(ctx, bytes.NewReader(file), int64(len(file)), l)
	if err != nil {
		return nil, err
	}
	defer pages.Close()
	for {
		text, err := pages.Next()
		if err == io.EOF {
			return texts, nil
		}
		if err != nil {
			return texts, err
		}
		texts = append(texts, strings.TrimSpace(text))
	}
}

func TestTexts(t *testing.T) {
	file := pdf(text("what it says"))
	got, err := all(t.Context(), file, limitsFor(int64(len(file))))
	if err != nil || len(got) != 1 || got[0] != "what it says" {
		t.Errorf("texts %q, error %v; want one, what it says", got, err)
	}
}

func TestDraw(t *testing.T) {
	file := pdf(text("what it says"))
	for _, c := range []struct {
		page int
		dpi  float64
		want string
	}{{0, 72, ""}, {1, 72, ErrNoPage.Error()}, {-1, 72, ErrNoPage.Error()}, {0, 0, "the limit is 4096"}, {0, 1e9, "the limit is 4096"}} {
		picture, pages, err := Draw(t.Context(), bytes.NewReader(file), int64(len(file)), c.page, c.dpi)
		if c.want != "" {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("page %d at %v dpi: %v, want an error with %q", c.page, c.dpi, err, c.want)
			}
			continue
		}
		drawn, problem := png.Decode(bytes.NewReader(picture))
		if err != nil || problem != nil || pages != 1 || drawn.Bounds().Dx() != 200 {
			t.Errorf("page %d at %v dpi: %d pages, %v, %v; want one page, 200 pixels wide", c.page, c.dpi, pages, err, problem)
		}
	}
}

// Whatever a file does to MuPDF ends within limits, and as an error that is no
// finding.
func TestLimits(t *testing.T) {
	t.Parallel()
	generous := limits{Memory: 1 << 30, CPU: time.Minute, Answer: time.Minute}
	for name, c := range map[string]struct {
		file []byte
		set  func(*limits)
		want string
	}{
		"no end, by processor time": {endless, func(l *limits) { l.CPU = time.Second }, "1s of processor time"},
		"no end, by patience":       {endless, func(l *limits) { l.Answer = 2 * time.Second }, "no answer within 2s"},
		"memory":                    {hungry, func(l *limits) { l.Memory = 256 << 20 }, "MiB of memory"},
		"no PDF":                    {[]byte("<svg xmlns='http://www.w3.org/2000/svg'/>"), nil, "no PDF"},
		"nothing":                   {nil, nil, "no PDF"},
		"no more than a begin":      {[]byte("%PDF-1.7\n"), nil, "cannot open"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := generous
			if c.set != nil {
				c.set(&l)
			}
			texts, err := all(t.Context(), c.file, l)
			if !errors.Is(err, ErrUnread) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%d pages, %v; want an error with %q", len(texts), err, c.want)
			}
		})
	}
}

// A caller that goes away takes the process with it.
func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	file := endless
	pages, err := OpenTexts(ctx, bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	defer pages.Close()
	time.AfterFunc(100*time.Millisecond, cancel)
	if text, err := pages.Next(); !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnread) {
		t.Errorf("text %q, error %v; want that the context ended", text, err)
	}
	pages.Close()
	if pages.process.cmd.ProcessState == nil {
		t.Error("the process was not waited for")
	}
}

// A file that can't be read is the caller's trouble, and no finding of MuPDF.
func TestUnreadable(t *testing.T) {
	broken := errors.New("the disk is broken")
	_, err := OpenTexts(t.Context(), failing{broken}, 1<<20)
	if !errors.Is(err, broken) || errors.Is(err, ErrUnread) {
		t.Errorf("error %v, want only %v", err, broken)
	}
}

type failing struct{ err error }

func (f failing) ReadAt([]byte, int64) (int, error) { return 0, f.err }

func TestVersion(t *testing.T) {
	t.Parallel()
	if got, want := Version, fitz.FzVersion; got != want {
		t.Errorf("version is %s, want that of go-fitz, %s", got, want)
	}
}
