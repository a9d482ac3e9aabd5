package report

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"
)

// forkDepth is how many batches a reader may lag behind the fastest one.
const forkDepth = 4

// errAbandoned is what readers are told where the document's rows panic.
var errAbandoned = errors.New("the rows were abandoned")

// Fork reads a document once for several readers that run side by side, each
// on its own goroutine; the document's rows are made on the caller's. A reader
// reads the sections in order, each once. The first error, of a reader or of
// the document's rows, ends them all and is returned once all have ended.
func Fork(ctx context.Context, d *Document, readers ...func(*Document) error) (err error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var group errgroup.Group
	branches := make([]branch, len(readers))
	for i, read := range readers {
		branches[i] = make(branch, forkDepth)
		group.Go(func() error {
			defer branches[i].drain()
			err := read(branches[i].document(ctx, d))
			if err != nil {
				fail(err) // before draining, which would wait for all rows
			}
			return err
		})
	}
	err = errAbandoned
	defer func() {
		if err != nil {
			fail(err) // before the branches close, or a reader would take what it got for the whole
		}
		for _, b := range branches {
			close(b)
		}
		if ended := group.Wait(); ended != nil || err != nil {
			err = context.Cause(ctx)
		}
	}()
	for section := range d.Sections {
		if err := feed(ctx, d.Sections[section].Rows, section, branches); err != nil {
			return err
		}
	}
	return nil
}

// part is a batch of one section.
type part struct {
	section int
	batch   Batch
}

// branch carries the document's batches to one reader.
type branch chan part

func feed(ctx context.Context, rows Rows, section int, branches []branch) error {
	for batch, err := range rows {
		if err != nil {
			return err
		}
		for _, b := range branches {
			select {
			case b <- part{section, batch}:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
	return nil
}

// drain lets the feeder go on when a reader ends before the rows do.
func (b branch) drain() {
	for range b {
	}
}

// document is what the branch's reader sees. Batches of a section that the
// reader passed over are dropped; one of a later section is kept for it.
func (b branch) document(ctx context.Context, d *Document) *Document {
	var ahead *part
	next := func() (part, bool) {
		if p := ahead; p != nil {
			ahead = nil
			return *p, true
		}
		p, ok := <-b
		return p, ok
	}
	view := *d
	view.Sections = append([]Section(nil), d.Sections...)
	for i := range view.Sections {
		view.Sections[i].Rows = func(yield func(Batch, error) bool) {
			for p, ok := next(); ok; p, ok = next() {
				if p.section > i {
					ahead = &p
					return
				}
				if p.section == i && !yield(p.batch, nil) {
					return
				}
			}
			if err := context.Cause(ctx); err != nil {
				yield(nil, err)
			}
		}
	}
	return &view
}
