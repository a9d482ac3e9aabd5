package blobstore

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"testing"
)

func testScrub(t *testing.T, s *Store, dir string) {
	good, bad := put(t, s, "good"), put(t, s, "bad")
	read := 0
	pace := func(_ context.Context, bytes int) error { read += bytes; return nil }
	if err := s.Scrub(t.Context(), good, pace); err != nil || read != 4 {
		t.Errorf("scrub of a good blob: got %v after %d bytes, want none after 4", err, read)
	}
	damage(t, dir, bad, true)
	err := s.Scrub(t.Context(), bad, pace)
	corrupt, ok := errors.AsType[*CorruptError](err)
	if !ok || corrupt.Ref != bad {
		t.Fatalf("scrub of a bad blob: got %v, want a CorruptError", err)
	}
	kept := quarantineDir + "/" + bad.String() + "." + corrupt.Got.String()
	wantTree(t, s, dir, good.path(), kept)
	if err := s.Scrub(t.Context(), bad, pace); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("scrub of what is in quarantine: got %v, want fs.ErrNotExist", err)
	}
	put(t, s, "bad")
	if err := s.Scrub(t.Context(), bad, pace); err != nil {
		t.Errorf("scrub of a good copy: got %v", err)
	}
	wantTree(t, s, dir, good.path(), bad.path(), kept)
	late := errors.New("late")
	if err := s.Scrub(t.Context(), good, func(context.Context, int) error { return late }); !errors.Is(err, late) {
		t.Errorf("scrub: got %v, want the error of its pace", err)
	}

	all := []Ref{good, bad}
	slices.SortFunc(all, func(a, b Ref) int { return slices.Compare(a[:], b[:]) })
	for i, after := range append([]Ref{{}}, all...) {
		var got []Ref
		err := s.WalkAfter(t.Context(), after, func(ref Ref, _ int64) error { got = append(got, ref); return nil })
		if err != nil || !slices.Equal(got, all[i:]) {
			t.Errorf("walk after %s: got %v, %v; want %v", after, got, err, all[i:])
		}
	}
}
