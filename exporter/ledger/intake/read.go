package intake

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"golang.org/x/sync/errgroup"

	"licensekit/exporter/ledger"
)

// Read reads a file and appends its rows, batch by batch: while the sink works
// on one, the next is read. progress, if not nil, is called after each batch
// with the bytes of src and the data rows done with, never concurrently.
//
// The result counts what the sink has confirmed, with an error too: what went
// in before a file turned out to be broken stays in. Errors: *[FileError] for
// the options and the file; the sink's and the context's, wrapped. A Read of
// src that blocks is waited for.
//
// A sink that is a [Keeper] also keeps the account of the file.
//
// The sink must give an outcome per row, and must not keep the slice that it
// is given; the strings in it never change.
func Read(ctx context.Context, src io.Reader, options Options, sink ledger.Appender, progress func(bytes, rows int64)) (Result, error) {
	result := Result{Errors: []RowError{}}
	p, err := newPlan(options)
	if err != nil {
		return result, err
	}
	read, ok := readers[options.Format]
	if !ok {
		return result, &FileError{Field: "format", Code: CodeInvalidOption, Message: fmt.Sprintf("%q is none of csv, ndjson, json, xlsx, cloudevents", options.Format)}
	}
	group, ctx := errgroup.WithContext(ctx)
	full, spare := make(chan *batch), make(chan *batch, 2)
	group.Go(func() error {
		a := appender{ctx: ctx, sink: sink, result: &result, progress: progress}
		return a.run(full, spare)
	})
	in := &source{ctx: ctx, src: src}
	_, keeps := sink.(Keeper)
	w := &writer{draft: newDraft(p), ctx: ctx, source: in, limits: p.options.Limits, full: full, spare: spare, current: &batch{}}
	readErr := read(in, w)
	if w.current.rows() > 0 || keeps && readErr == nil {
		w.current.part = Last
		if readErr != nil {
			w.current.part = Broken
		}
		if err := w.flush(); readErr == nil {
			readErr = err
		}
	}
	close(full)
	if err := group.Wait(); err != nil {
		return result, err
	}
	return result, readErr
}

// Part is where in a file a batch stands.
type Part uint8

// The parts of a file.
const (
	Middle Part = iota // more comes
	Last               // the file ends with it
	Broken             // the file is broken behind it
)

// Keeper is a sink that keeps the account of a file along with its rows. It is
// given one batch after the other, with its number of rows, the last of a whole
// file even if that has none, and calls store with an Appender of its choice; it
// may call it again where what was stored did not last. store gives the account of the file up to there.
type Keeper interface {
	ledger.Appender
	Keep(ctx context.Context, part Part, rows int, store func(ledger.Appender) (Result, error)) error
}

// readers has an entry per format. A reader gives errors of the file and of
// the writer; the rows before them are appended all the same.
var readers = map[Format]func(*source, *writer) error{
	CSV:         readCSV,
	NDJSON:      readNDJSON,
	JSON:        readJSON,
	CloudEvents: readCloudEvents,
	XLSX:        readXLSX,
}

// appender is the other half of the pipeline.
type appender struct {
	ctx      context.Context
	sink     ledger.Appender
	result   *Result
	progress func(bytes, rows int64)
}

func (a *appender) run(full <-chan *batch, spare chan<- *batch) error {
	for b := range full {
		if err := a.append(b); err != nil {
			return err
		}
		if a.progress != nil {
			a.progress(b.bytes, a.result.Rows())
		}
		select {
		case spare <- b:
		default:
		}
	}
	return nil
}

func (a *appender) append(b *batch) (err error) {
	var after Result
	if keeper, ok := a.sink.(Keeper); ok {
		err = keeper.Keep(a.ctx, b.part, len(b.places), func(sink ledger.Appender) (Result, error) {
			after, err = a.store(b, sink)
			return after, err
		})
	} else {
		after, err = a.store(b, a.sink)
	}
	if err == nil {
		*a.result = after
	}
	return err
}

// store appends a batch and gives the account of the file with it.
func (a *appender) store(b *batch, sink ledger.Appender) (Result, error) {
	outcomes, err := a.outcomes(b, sink)
	switch {
	case err != nil:
		return Result{}, fmt.Errorf("append rows of lines %d to %d: %w", b.places[0].line, b.places[len(b.places)-1].line, err)
	case len(outcomes) != len(b.places):
		return Result{}, fmt.Errorf("append %d rows: the ledger answered for %d", len(b.places), len(outcomes))
	}
	after := *a.result
	after.Errors = slices.Clip(after.Errors) // the batch may come again
	after.add(b, outcomes)
	return after, nil
}

func (a *appender) outcomes(b *batch, sink ledger.Appender) ([]ledger.Outcome, error) {
	switch {
	case len(b.activities) > 0:
		return sink.Append(a.ctx, b.activities)
	case len(b.records) > 0:
		return sink.Put(a.ctx, b.records)
	}
	return nil, nil
}

// source counts what was read of a file, and stops when the context ends.
type source struct {
	ctx   context.Context
	src   io.Reader
	read  int64 // bytes
	lines int64 // line ends among them
}

func (s *source) Read(p []byte) (int, error) {
	if s.ctx.Err() != nil {
		return 0, context.Cause(s.ctx)
	}
	n, err := s.src.Read(p)
	s.read += int64(n)
	s.lines += int64(countLines(p[:n]))
	return n, err
}

// text gives the file as UTF-8 without a byte order mark. Files that begin
// like something else are refused. Errors: *[FileError].
func (s *source) text() (*bufio.Reader, error) {
	text := bufio.NewReaderSize(s, 64<<10)
	start, err := text.Peek(4)
	if err != nil && err != io.EOF {
		return nil, s.broken(err)
	}
	switch {
	case len(start) == 0:
		return nil, &FileError{Code: CodeEmptyFile, Message: "the file is empty"}
	case bytes.HasPrefix(start, []byte("\xff\xfe")), bytes.HasPrefix(start, []byte("\xfe\xff")):
		return nil, &FileError{Line: 1, Code: CodeInvalidText, Message: "the file is UTF-16", Hint: "save it as UTF-8"}
	case bytes.HasPrefix(start, []byte("PK\x03\x04")):
		return nil, &FileError{Code: CodeMalformedFile, Message: "the file is a zip archive", Hint: "is its format xlsx?"}
	case bytes.HasPrefix(start, []byte("\x1f\x8b")):
		return nil, &FileError{Code: CodeMalformedFile, Message: "the file is compressed with gzip", Hint: "decompress it first"}
	case bytes.HasPrefix(start, []byte("\xef\xbb\xbf")):
		_, err = text.Discard(3)
		return text, err
	}
	return text, nil
}

// broken wraps what reading the source failed with, once all that came before
// was taken.
func (s *source) broken(err error) error { return broken(s.lines+1, err) }

func broken(line int64, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return &FileError{Line: line, Code: CodeTruncatedFile, Message: "the file ends half way", Hint: "send it again: rows that are in already count as duplicates", Err: err}
	}
	return fmt.Errorf("read the file up to line %d: %w", line, err)
}
