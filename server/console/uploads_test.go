package console

import (
	"os"
	"strings"
	"testing"
	"time"
)

// Files that are being imported are there for hours, the newest of each session,
// and not longer than it.
func TestUploadsAreLetGo(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := &uploads{dir: t.TempDir(), now: func() time.Time { return now }}
	one, other := &session{}, &session{}
	take := func(owner *session) *upload {
		t.Helper()
		u := &upload{}
		if err := s.take(owner, u, strings.NewReader("id\n")); err != nil {
			t.Fatal(err)
		}
		return u
	}
	wants := func(when string, want int) {
		t.Helper()
		files, err := os.ReadDir(s.dir)
		if err != nil || len(files) != want || len(s.live) != want {
			t.Errorf("%s: %d files, %d of them known (%v), want %d", when, len(files), len(s.live), err, want)
		}
	}
	theirs := take(other)
	first := take(one)
	for range uploadsEach {
		take(one)
	}
	wants("after one more than a session keeps", uploadsEach+1)
	if s.find(one, first.id) != nil || s.find(other, theirs.id) == nil || s.find(one, theirs.id) != nil {
		t.Error("the oldest of the session is there, or that of the other session is not, or to both")
	}
	s.leave(one)
	wants("after the session", 1)
	now = now.Add(uploadsExpire - time.Second)
	if s.find(other, theirs.id) == nil {
		t.Error("a second before its time is over the file is gone")
	}
	now = now.Add(time.Second)
	if s.find(other, theirs.id) != nil {
		t.Error("after its time the file is there")
	}
	wants("after their time", 0)
	for range uploadsAll + 1 {
		take(&session{})
	}
	wants("after one more than all may have", uploadsAll)
}
