package console

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"licensekit/exporter/ledger/intake"
)

// The bounds of uploads. What is larger goes over the API or the command line,
// which keep no copy.
const (
	maxUpload     = 8 << 30 // bytes of a file
	uploadsEach   = 3       // of a session
	uploadsAll    = 50
	uploadsExpire = 3 * time.Hour
)

// upload is a file that somebody is importing. It lies in the directory for
// what a restart may lose.
type upload struct {
	id      string
	session *session
	began   time.Time
	path    string
	end     *time.Timer // lets go of it when its time is over

	Name   string // of the file, as the browser gave it
	Object string // intake.Activities or one of records
	Format intake.Format
	Packed bool  // by gzip
	Size   int64 // as it was sent

	mu     sync.Mutex           // one import at a time
	result *imported            // of the last one; guarded by mu
	work   atomic.Pointer[work] // while there is an import, nil otherwise
}

// open opens the file as it was sent.
func (u *upload) open() (*os.File, error) { return os.Open(u.path) }

// uploads are the files that are being imported.
type uploads struct {
	dir string
	now func() time.Time

	mu   sync.Mutex
	live []*upload // the oldest first; guarded by mu
}

// take keeps a file for a session, which lets go of its older ones. It is let go of
// when its time is over, whether anybody comes again or not.
func (s *uploads) take(owner *session, u *upload, content io.Reader) error {
	file, err := os.CreateTemp(s.dir, "upload-*"+filepath.Ext("."+string(u.Format)))
	if err != nil {
		return fmt.Errorf("keep an upload: %w", err)
	}
	u.id, u.session, u.began, u.path = secret(), owner, s.now(), file.Name()
	u.Size, err = io.Copy(file, content)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		os.Remove(file.Name())
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u.end = time.AfterFunc(uploadsExpire, func() { s.drop(u) })
	s.live = append(s.live, u)
	s.sweep(owner)
	return nil
}

// sweep lets go of what is too much, the oldest first. The lock is held.
func (s *uploads) sweep(owner *session) {
	own := 0
	for _, u := range s.live {
		if u.session == owner {
			own++
		}
	}
	all := len(s.live)
	s.release(func(u *upload) bool {
		over := all > uploadsAll
		if u.session == owner && own > uploadsEach {
			own, over = own-1, true
		}
		if over {
			all--
		}
		return over
	})
}

// release lets go of uploads. The lock is held.
func (s *uploads) release(over func(*upload) bool) {
	s.live = slices.DeleteFunc(s.live, func(u *upload) bool {
		if !over(u) {
			return false
		}
		u.end.Stop()
		os.Remove(u.path) // it may be open; a start empties the directory
		return true
	})
}

// find gives a session's upload, nil if there is none of that name.
func (s *uploads) find(owner *session, id string) *upload {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.release(func(u *upload) bool { return s.now().Sub(u.began) >= uploadsExpire }) // the clock may have been set
	for _, u := range s.live {
		if u.session == owner && u.id == id {
			return u
		}
	}
	return nil
}

// drop lets go of an upload.
func (s *uploads) drop(gone *upload) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.release(func(u *upload) bool { return u == gone })
}

// leave lets go of what a session has.
func (s *uploads) leave(gone *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.release(func(u *upload) bool { return u.session == gone })
}

// baseName is the last part of a file's name, whatever system it comes from.
func baseName(name string) string {
	return name[strings.LastIndexAny(name, `/\`)+1:]
}
