package report

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
)

// Each test runs in a bubble, which fails if a goroutine stays behind or all
// of them wait for ever.

// forkDocument has two sections of so many one-row batches each; the rows end
// with the error, if there is one.
func forkDocument(batches int, end error) *Document {
	columns := []Column{{Name: "n", Type: Integer}, {Name: "text", Type: String}}
	d := &Document{Kind: UsageLedger}
	for _, name := range []string{"one", "two"} {
		var rows []row
		for i := range batches {
			rows = append(rows, row{int64(i), strings.Repeat(name, i%3)})
		}
		whole := rowsOf(columns, rows, 1)
		d.Sections = append(d.Sections, Section{Name: name, Columns: columns, Rows: func(yield func(Batch, error) bool) {
			for batch, err := range whole {
				if !yield(batch, err) {
					return
				}
			}
			if end != nil {
				yield(nil, end)
			}
		}})
	}
	return d
}

func TestForkGivesAllTheSame(t *testing.T) {
	for _, readers := range []int{0, 1, 5} {
		synctest.Test(t, func(t *testing.T) {
			d := forkDocument(50, nil)
			want, _ := readAll(d)
			got := make([]map[string][]row, readers)
			var reads []func(*Document) error
			for i := range readers {
				reads = append(reads, func(d *Document) (err error) {
					got[i], err = readAll(d)
					return err
				})
			}
			if err := Fork(t.Context(), d, reads...); err != nil {
				t.Fatal(err)
			}
			for i := range got {
				if !reflect.DeepEqual(got[i], want) {
					t.Errorf("reader %d of %d got %v, want %v", i, readers, got[i], want)
				}
			}
		})
	}
}

func TestForkFailingReaderEndsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		var other error
		err := Fork(t.Context(), forkDocument(1_000, nil),
			func(d *Document) error {
				for range d.Sections[0].Rows {
					return broken
				}
				return nil
			},
			func(d *Document) error {
				_, other = readAll(d)
				return nil
			})
		if !errors.Is(err, broken) || !errors.Is(other, broken) {
			t.Errorf("Fork: %v, the other reader: %v; want %v for both", err, other, broken)
		}
	})
}

// A reader that stops early is a success, and the others get everything.
func TestForkReaderStopsEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := forkDocument(100, nil)
		want, _ := readAll(d)
		var all, second map[string][]row
		err := Fork(t.Context(), d,
			func(*Document) error { return nil },
			func(d *Document) error {
				for range d.Sections[0].Rows {
					break
				}
				return nil
			},
			func(d *Document) (err error) {
				for range d.Sections[0].Rows {
					break
				}
				second, err = readAll(&Document{Sections: d.Sections[1:]})
				return err
			},
			func(d *Document) (err error) {
				all, err = readAll(d)
				return err
			})
		if err != nil || !reflect.DeepEqual(all, want) {
			t.Errorf("Fork: %v; the patient reader got %v, want %v", err, all, want)
		}
		if !reflect.DeepEqual(second["two"], want["two"]) {
			t.Errorf("who left the first section early got of the second %v, want %v", second["two"], want["two"])
		}
	})
}

// No reader may take for whole what a failing source gave.
func TestForkSourceFails(t *testing.T) {
	for range 200 { // the order of events varies
		synctest.Test(t, func(t *testing.T) {
			broken := errors.New("broken")
			errs := make([]error, 3)
			var reads []func(*Document) error
			for i := range errs {
				reads = append(reads, func(d *Document) error {
					_, errs[i] = readAll(d)
					return errs[i]
				})
			}
			if err := Fork(t.Context(), forkDocument(2, broken), reads...); !errors.Is(err, broken) {
				t.Errorf("Fork: %v, want %v", err, broken)
			}
			for i, err := range errs {
				if !errors.Is(err, broken) {
					t.Errorf("reader %d: %v, want %v", i, err, broken)
				}
			}
		})
	}
}

// A panic of the rows is the caller's, and no reader takes what it got for the
// whole.
func TestForkRowsPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := forkDocument(3, nil)
		d.Sections[1].Rows = func(func(Batch, error) bool) { panic("rows") }
		var got error
		defer func() {
			if crash := recover(); crash != "rows" || !errors.Is(got, errAbandoned) {
				t.Errorf("got panic %v, and the reader %v; want rows, and %v", crash, got, errAbandoned)
			}
		}()
		_ = Fork(t.Context(), d, func(d *Document) error {
			_, got = readAll(d)
			return got
		})
	})
}

func TestForkIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		stop := errors.New("stop")
		err := Fork(ctx, forkDocument(1_000, nil), func(d *Document) error {
			for _, err := range d.Sections[0].Rows {
				if err != nil {
					return err
				}
				cancel(stop)
			}
			return nil
		})
		if !errors.Is(err, stop) {
			t.Errorf("Fork with a cancelled context: %v, want %v", err, stop)
		}
	})
}
