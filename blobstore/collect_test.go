package blobstore

import (
	"errors"
	"io"
	"io/fs"
	"sync"
	"testing"
	"time"
)

const grace = 24 * time.Hour

var day0 = time.Date(2031, 5, 1, 12, 0, 0, 0, time.UTC)

func collect(t *testing.T, s *Store, keep bool, now time.Time, want Collected) {
	t.Helper()
	got, err := s.Collect(t.Context(), func(Ref) (bool, error) { return keep, nil }, now, grace)
	if got != want || err != nil {
		t.Errorf("collect at %s: got %+v, %v; want %+v", now.Format(time.DateTime), got, err, want)
	}
}

func testCollectSteps(t *testing.T, s *Store, dir string) {
	ref := put(t, s, "unneeded")
	collect(t, s, true, day0, Collected{})
	collect(t, s, false, day0, Collected{Condemned: 1})
	collect(t, s, false, day0.Add(grace-time.Second), Collected{})
	collect(t, s, false, day0.Add(-grace), Collected{}) // the clock went back
	wantContent(t, s, ref, "unneeded")

	collect(t, s, false, day0.Add(grace), Collected{Trashed: 1})
	wantTree(t, s, dir, trashed(ref))
	if _, err := s.Open(t.Context(), ref); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open of a trashed blob: got %v, want fs.ErrNotExist", err)
	}
	collect(t, s, false, day0.Add(2*grace-time.Second), Collected{})
	collect(t, s, false, day0.Add(2*grace), Collected{Removed: 1})
	wantTree(t, s, dir)
}

func testCollectSpares(t *testing.T, s *Store, dir string) {
	ref := put(t, s, "wanted")
	// A commit lifts the mark, so that the grace begins anew.
	collect(t, s, false, day0, Collected{Condemned: 1})
	put(t, s, "wanted")
	collect(t, s, false, day0.Add(grace), Collected{Condemned: 1})
	// So does a reference.
	collect(t, s, true, day0.Add(2*grace), Collected{})
	wantTree(t, s, dir, ref.path())
	// Out of the trash.
	collect(t, s, false, day0, Collected{Condemned: 1})
	collect(t, s, false, day0.Add(grace), Collected{Trashed: 1})
	collect(t, s, true, day0.Add(3*grace), Collected{Restored: 1})
	wantContent(t, s, ref, "wanted")
	wantTree(t, s, dir, ref.path())
	// Brought again while in the trash: only the old copy goes.
	collect(t, s, false, day0, Collected{Condemned: 1})
	collect(t, s, false, day0.Add(grace), Collected{Trashed: 1})
	put(t, s, "wanted")
	collect(t, s, true, day0.Add(2*grace), Collected{Removed: 1})
	wantTree(t, s, dir, ref.path())

	stop := errors.New("stop")
	_, err := s.Collect(t.Context(), func(Ref) (bool, error) { return false, stop }, day0, grace)
	if !errors.Is(err, stop) {
		t.Errorf("collect: got %v, want keep's error", err)
	}
}

// testCollectRace commits and reads one blob while a collector with no patience
// works on it: a reader gets all of it or fs.ErrNotExist, and a commit that
// found it condemned leaves it in its place.
func testCollectRace(t *testing.T, s *Store, _ string) {
	ref := put(t, s, "contended")
	unwanted := func(Ref) (bool, error) { return false, nil }
	stop, collecting := make(chan struct{}), sync.WaitGroup{}
	collecting.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := s.Collect(t.Context(), unwanted, day0, 0); err != nil {
				t.Errorf("collect: got %v, want no error", err)
				return
			}
		}
	})
	var using sync.WaitGroup
	for range 4 {
		using.Go(func() {
			for range 25 {
				putAndRead(t, s, ref)
			}
		})
	}
	using.Wait()
	close(stop)
	collecting.Wait()
	put(t, s, "contended")
	wantContent(t, s, ref, "contended")
}

func putAndRead(t *testing.T, s *Store, ref Ref) {
	w, err := s.Create(t.Context(), 100)
	if err != nil {
		t.Errorf("create: got %v, want a writer", err)
		return
	}
	defer w.Abort()
	io.WriteString(w, "contended")
	if _, _, err := w.Commit(); err != nil {
		t.Errorf("commit: got %v, want no error", err)
	}
	blob, err := s.Open(t.Context(), ref)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		t.Errorf("open: got %v, want a blob or fs.ErrNotExist", err)
		return
	}
	defer blob.Close()
	if got, err := io.ReadAll(blob); string(got) != "contended" || err != nil {
		t.Errorf("read: got %q, %v; want contended", got, err)
	}
}
