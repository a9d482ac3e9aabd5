package tilelog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// What is done beside a leaf is done before anybody sees the checkpoint, and
// where it fails there is none.
func TestAppendBeside(t *testing.T) {
	l := openTest(t, filepath.Join(t.TempDir(), "log"))
	grow(t, l, 254) // so that two more fill a tile
	full := errors.New("the disk is full")
	_, err := l.Append(t.Context(), makeLeaf, func() error { return full })
	if !errors.Is(err, full) || l.Size() != 254 {
		t.Errorf("beside fails: got %v and size %d, want %v and 254", err, l.Size(), full)
	}
	for want := int64(254); want < 258; want++ {
		seen, made := int64(-1), false
		e, err := l.Append(t.Context(), func(index int64) ([]byte, error) {
			made = true
			return makeLeaf(index)
		}, func() error {
			head, err := l.readHead()
			seen = head.Size
			if !made {
				t.Error("got it done before the leaf was made, want it after")
			}
			return err
		})
		if err != nil || e.Index != want || seen != want {
			t.Errorf("append: got entry %d, checkpoint %d meanwhile, and %v; want both %d", e.Index, seen, err, want)
		}
	}
	wantWhole(t, "beside", openTest(t, l.disk.root.Name()), 258)
}

// together has several append at the same time, and gives what each of them got,
// in the order of their turns. A panic is an error of whose goroutine it was on.
func together(t *testing.T, l *Log, appends []func() (Entry, error)) (entries []Entry, errs []error) {
	t.Helper()
	entries, errs = make([]Entry, len(appends)), make([]error, len(appends))
	var group sync.WaitGroup
	l.turn <- struct{}{} // nobody begins before all wait
	for i, do := range appends {
		group.Go(func() {
			defer func() {
				if crash := recover(); crash != nil {
					errs[i] = fmt.Errorf("panic: %v", crash)
				}
			}()
			entries[i], errs[i] = do()
		})
		for deadline := time.Now().Add(time.Minute); l.waits() <= i; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("got %d that wait, want %d", l.waits(), i+1)
			}
		}
	}
	<-l.turn
	group.Wait()
	return entries, errs
}

func (l *Log) waits() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.waiting)
}

// failsBeside appends the test's leaf, and fails beside it when that is done the
// nth time, counted from 1; 0 is never.
func failsBeside(l *Log, nth int, failure error) func() (Entry, error) {
	return func() (Entry, error) {
		done := 0
		return l.Append(context.Background(), makeLeaf, func() error { return nil }, func() error {
			if done++; done == nth {
				return failure
			}
			return nil
		})
	}
}

// Where something fails beside one leaf, that one alone is not appended. The
// others are, without a gap, with one checkpoint, and at any instant of it a crash
// leaves a sound log.
func TestAppendsGoOnWithoutWhatFailsBeside(t *testing.T) {
	const start = 254 // so that it differs between the tries whether a tile is full
	for _, failing := range [][]int{
		{1, 0, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}, {1, 0, 1, 0}, {0, 1, 1, 1},
		{1, 2, 0, 0}, {0, 2, 3, 1}, // more fails when they are tried again
		{1, 1, 1, 1}, {3, 2, 1, 2},
	} {
		t.Run(fmt.Sprint(failing), func(t *testing.T) {
			l := openTest(t, filepath.Join(t.TempDir(), "log"))
			grow(t, l, start)
			var appends []func() (Entry, error)
			var failures []error
			for i, nth := range failing {
				failures = append(failures, fmt.Errorf("no room for %d", i))
				appends = append(appends, failsBeside(l, nth, failures[i]))
			}
			published, seen := 0, map[string]bool{}
			crashes := watch(t, l, func(what string, contents map[string][]byte) {
				if what == "killed before rename checkpoint" {
					published++
				}
				named := maps.Clone(contents)
				maps.DeleteFunc(named, func(name string, _ []byte) bool { return strings.HasPrefix(name, stagedName) })
				if state := fmt.Sprint(maps.Collect(sizes(named))); !seen[state] {
					seen[state] = true
					wantWhole(t, what, openTest(t, lay(t, contents)), start)
				}
			})
			entries, errs := together(t, l, appends)
			next := int64(start)
			for i, nth := range failing {
				if nth > 0 {
					if !errors.Is(errs[i], failures[i]) {
						t.Errorf("append %d: got %v, want %v", i, errs[i], failures[i])
					}
					continue
				}
				if errs[i] != nil || entries[i].Index != next {
					t.Errorf("append %d: got entry %d, %v; want %d", i, entries[i].Index, errs[i], next)
				}
				next++
			}
			if want := min(1, int(next-start)); published != want || l.Size() != next {
				t.Errorf("got %d checkpoints, the last of size %d; want %d, and %d", published, l.Size(), want, next)
			}
			for i, e := range entries {
				if errs[i] == nil && !bytes.Equal(e.Signed, l.Head().Signed) {
					t.Errorf("append %d: got checkpoint %s, want %s", i, e.Signed, l.Head().Signed)
				}
			}
			appendOne(t, l)
			wantWhole(t, "one more", openTest(t, crashes.dir), next+1)
		})
	}
}

// Where the log's own files fail too, nothing is appended.
func TestAppendsFailWithTheLog(t *testing.T) {
	l := openTest(t, filepath.Join(t.TempDir(), "log"))
	grow(t, l, 3)
	full, failure := errors.New("the disk is full"), errors.New("no room for it")
	l.disk.fault = func(op, name string) error {
		if op == "sync" && name == stagedName {
			return full
		}
		return nil
	}
	_, errs := together(t, l, []func() (Entry, error){failsBeside(l, 0, nil), failsBeside(l, 1, failure), failsBeside(l, 0, nil)})
	for i, want := range []error{full, failure, full} {
		if !errors.Is(errs[i], want) {
			t.Errorf("append %d: got %v, want %v", i, errs[i], want)
		}
	}
	l.disk.fault = nil
	if got := appendOne(t, l).Index; got != 3 {
		t.Errorf("the next one: got entry %d, want 3", got)
	}
	wantWhole(t, "after that", openTest(t, l.disk.root.Name()), 4)
}

// A leaf that panics when it is made again is no success of the others.
func TestAppendAfterPanicAgain(t *testing.T) {
	l := openTest(t, filepath.Join(t.TempDir(), "log"))
	failure := errors.New("no room for it")
	made := 0
	panics := func() (Entry, error) {
		return l.Append(context.Background(), func(index int64) ([]byte, error) {
			if made++; made > 1 {
				panic("leaf")
			}
			return makeLeaf(index)
		})
	}
	_, errs := together(t, l, []func() (Entry, error){failsBeside(l, 1, failure), panics, failsBeside(l, 0, nil)})
	if slices.Contains(errs, nil) || l.Size() != 0 {
		t.Errorf("got %v and size %d, want an error of each and 0", errs, l.Size())
	}
}
