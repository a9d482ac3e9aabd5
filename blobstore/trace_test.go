//go:build linux

package blobstore

import (
	"cmp"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// Under strace the test binary runs one of the stories of TestTraced.
const (
	storyVar   = "BLOBSTORE_TRACED_STORY"
	stagingVar = "BLOBSTORE_TRACED_STAGING"
	dirVar     = "BLOBSTORE_TRACED_DIR"
)

// strace runs a traced story in dir and gives the lines of its trace.
func strace(t *testing.T, story, staging, dir string, options ...string) []string {
	t.Helper()
	if _, err := exec.LookPath("strace"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("strace is missing: apt-get install strace")
		}
		t.Skip("needs strace: apt-get install strace")
	}
	log := filepath.Join(t.TempDir(), "trace")
	args := append([]string{"-f", "-y", "-qq", "-o", log, "-e", "trace=fchmod,fsync,fdatasync,linkat,renameat,renameat2"}, options...)
	cmd := exec.Command("strace", append(args, os.Args[0], "-test.run=^TestTraced$", "-test.count=1")...)
	cmd.Env = append(os.Environ(), storyVar+"="+story, stagingVar+"="+staging, dirVar+"="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("traced story %s: got %v:\n%s", story, err, out)
	}
	trace, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(trace), "\n")
}

// TestTraced does nothing unless it was started by another test, under strace.
// It stays on one thread, for strace counts calls by thread.
func TestTraced(t *testing.T) {
	runtime.LockOSThread()
	tell := map[string]func(*testing.T, *Store){
		"commit": func(t *testing.T, s *Store) { put(t, s, "traced") },
		// The file's fsync fails: this blob is lost, the store is not.
		"file fault": func(t *testing.T, s *Store) {
			if err := tryPut(t, s, "lost"); !errors.Is(err, syscall.EIO) || errors.Is(err, ErrFault) {
				t.Errorf("commit: got %v, want EIO and no ErrFault", err)
			}
			wantTree(t, s, os.Getenv(dirVar))
			put(t, s, "traced")
		},
		// The shard's fsync fails: what the disk holds is unknown.
		"shard fault": func(t *testing.T, s *Store) {
			for range 2 {
				if err := tryPut(t, s, "lost"); !errors.Is(err, syscall.EIO) || !errors.Is(err, ErrFault) {
					t.Errorf("commit: got %v, want ErrFault and EIO", err)
				}
			}
		},
		// An early flush of a large file fails: what the fsync at its end says of
		// it doesn't matter.
		"early fault": func(t *testing.T, s *Store) {
			w := create(t, t.Context(), s, math.MaxInt64)
			defer w.Abort()
			var err error
			for piece := make([]byte, 1<<20); err == nil && w.size < 2*flushStep; {
				_, err = w.Write(piece)
			}
			_, _, commitErr := w.Commit()
			if err = cmp.Or(err, commitErr); !errors.Is(err, syscall.EIO) || errors.Is(err, ErrFault) {
				t.Errorf("write and commit: got %v, want EIO and no ErrFault", err)
			}
			wantTree(t, s, os.Getenv(dirVar))
			put(t, s, "traced")
		},
	}[os.Getenv(storyVar)]
	if tell == nil {
		t.Skip("runs as a part of the tests that trace it")
	}
	tell(t, stagings[os.Getenv(stagingVar)](t, os.Getenv(dirVar)))
}

// TestDurableOrder: read-only and durable before it has its name, and the name
// durable before Commit returns.
func TestDurableOrder(t *testing.T) {
	steps := []struct {
		name string
		form *regexp.Regexp
	}{
		{"chmod", regexp.MustCompile(`fchmod\(.*0400\) += 0`)},
		{"fsync file", regexp.MustCompile(`fsync\(\d+<[^>]*/tmp/[^/>]+>(\(deleted\))?\) += 0`)},
		{"link", regexp.MustCompile(`linkat\(.*"[^"]*[0-9a-f]{64}".*\) += 0`)},
		{"fsync shard", regexp.MustCompile(`fsync\(\d+<[^>]*/sha256/[0-9a-f]{2}>\) += 0`)},
	}
	want := []string{"chmod", "fsync file", "link", "fsync shard"}
	for staging, open := range stagings {
		t.Run(staging, func(t *testing.T) {
			dir := t.TempDir()
			open(t, dir).Close()
			trace := strace(t, "commit", staging, dir)
			var got []string
			for _, line := range trace {
				for _, step := range steps {
					if step.form.MatchString(line) {
						got = append(got, step.name)
					}
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("order: got %v, want %v; trace:\n%s", got, want, strings.Join(trace, "\n"))
			}
		})
	}
}

// TestFailedSync lets the fsync of the file (the third of the process, after
// two that Open does) or of the shard (the fourth) fail once, or the first
// flush before the end.
func TestFailedSync(t *testing.T) {
	for story, fault := range map[string]string{
		"file fault": "fsync:error=EIO:when=3", "shard fault": "fsync:error=EIO:when=4",
		"early fault": "fdatasync:error=EIO:when=1",
	} {
		t.Run(story, func(t *testing.T) {
			dir := t.TempDir()
			first, err := Open(dir)
			opened(t, first, err).Close()
			trace := strace(t, story, "default", dir, "-e", "inject="+fault)
			if n := strings.Count(strings.Join(trace, "\n"), "(INJECTED)"); n != 1 {
				t.Errorf("injected faults: got %d, want 1", n)
			}
		})
	}
}
