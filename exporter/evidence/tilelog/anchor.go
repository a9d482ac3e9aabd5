package tilelog

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/tlog"
)

// The errors of a log that does not fit its anchor.
var (
	// ErrRolledBack says that a log is an older copy of the one that its anchor
	// knows, or another history: whatever it signed next would contradict what
	// others may have seen.
	ErrRolledBack = errors.New("the log does not continue what was signed of it")
	// ErrNoAnchor says that a log with leaves should have an anchor and the file
	// is missing. An empty file begins one.
	ErrNoAnchor = errors.New("the anchor is missing")
)

// Anchor is a file outside of a log's directory, on another disk maybe, that
// holds the newest checkpoint that the log signed. It is for when the
// directory is replaced by an older copy, which alone looks sound.
type Anchor struct {
	disk disk // the directory that it is in
	name string
	held []byte // what the file held when it was last read or written; nil without a file
}

// OpenAnchor reads an anchor. That the file is missing or empty is no error;
// the directory must be there.
func OpenAnchor(path string) (*Anchor, error) {
	root, err := os.OpenRoot(filepath.Dir(filepath.Clean(path)))
	if err != nil {
		return nil, fmt.Errorf("open anchor %s: %w", path, err)
	}
	name := filepath.Base(path)
	a := &Anchor{disk: disk{root: root, staged: "." + name + stagedName}, name: name}
	if a.held, err = a.read(); err != nil {
		return nil, errors.Join(fmt.Errorf("open anchor %s: %w", path, err), root.Close())
	}
	return a, nil
}

// Close lets go of the directory.
func (a *Anchor) Close() error { return a.disk.root.Close() }

// Signed is the checkpoint that the anchor holds, as it is signed; empty where
// it holds none yet. Whose it is has not been asked.
func (a *Anchor) Signed() []byte { return a.held }

// Hold makes the file hold a checkpoint, durably: at any time it is the old
// one or the new one.
func (a *Anchor) Hold(head Head) error {
	if err := a.disk.publish(a.name, head.write); err != nil {
		return fmt.Errorf("write anchor %s: %w", a.Path(), err)
	}
	a.held = head.Signed
	return nil
}

// Path is where the file is.
func (a *Anchor) Path() string { return filepath.Join(a.disk.root.Name(), a.name) }

func (a *Anchor) read() ([]byte, error) {
	held, err := a.disk.readSmall(a.name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return held, err
}

// unmoved refuses to go on where the file is no longer what it was: another
// copy of the directory is signing under the same name.
func (a *Anchor) unmoved() error {
	if a == nil {
		return nil
	}
	held, err := a.read()
	if err != nil {
		return fmt.Errorf("read anchor %s: %w", a.Path(), err)
	}
	if !bytes.Equal(held, a.held) {
		return fmt.Errorf("%w: another process changed %s", ErrRolledBack, a.Path())
	}
	return nil
}

// meetAnchor compares the log with its anchor. A log that is ahead is what a
// crash between the two leaves; the anchor is then brought up to date.
func (l *Log) meetAnchor() error {
	if err := l.fitsAnchor(); err != nil {
		return err
	}
	if head := l.Head(); l.anchor != nil && !bytes.Equal(l.anchor.held, head.Signed) {
		return l.anchor.Hold(head)
	}
	return nil
}

// fitsAnchor changes nothing.
func (l *Log) fitsAnchor() error {
	a, head := l.anchor, l.Head()
	switch {
	case a == nil:
		return nil
	case a.held == nil && head.Size > 0:
		return fmt.Errorf("%w: %s, and the log has %d entries", ErrNoAnchor, a.Path(), head.Size)
	case len(a.held) == 0:
		return nil
	}
	known, err := VerifyCheckpoint(a.held, l.verifier)
	if err != nil {
		return fmt.Errorf("anchor %s: %w", a.Path(), err)
	}
	if err := l.Continues(known); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrRolledBack, a.Path(), err)
	}
	return nil
}

// Continues tells whether the log's tree begins with that of a checkpoint. Who
// signed that, and of which log it is, is for the caller.
func (l *Log) Continues(known Checkpoint) error {
	now := l.head.Load().Checkpoint
	if known.Size > now.Size {
		return fmt.Errorf("it shows %d entries, the log has %d", known.Size, now.Size)
	}
	root, err := tlog.TreeHash(known.Size, l.disk.hashes(now))
	if err != nil {
		return fmt.Errorf("root at size %d: %w", known.Size, err)
	}
	if root != known.Root {
		return fmt.Errorf("it shows root %s at size %d, the log has %s", known.Root, known.Size, root)
	}
	return nil
}
