package tilelog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// MaxLeaf bounds a leaf, in bytes.
const MaxLeaf = 1<<16 - 1

// keepPartial is for how many further leaves a partial tile is kept. It gives
// time to those who have read its name and not yet its content.
const keepPartial = 64

// ErrMismatch says that a directory's checkpoint and tiles are not of one log.
var ErrMismatch = errors.New("the log's checkpoint and its tiles do not match")

// ErrBroken says that nothing can be appended until the log is opened again:
// after an I/O error it is unknown what the disk holds.
var ErrBroken = errors.New("the log must be opened again")

// ErrClosed says that a log grows no more, and that nothing can be signed for it.
var ErrClosed = errors.New("the log is closed")

// Key signs checkpoints. Its name is the log's origin.
type Key interface {
	note.Signer
	Verify(message, signature []byte) bool
}

// Head is a checkpoint and its signed form.
type Head struct {
	Checkpoint
	Signed []byte
}

// Log is an opened log. Its methods may be called at the same time.
type Log struct {
	disk     disk
	verifier note.Verifier
	key      Key                  // nil of a closed log
	anchor   *Anchor              // nil without one; written by who holds turn
	head     atomic.Pointer[Head] // changed by who holds turn

	turn   chan struct{} // holds a value while leaves are written
	broken error         // why nothing can be appended any more; guarded by turn
	pruned int64         // partial tiles up to this size were removed; guarded by turn

	recall *Recall // until the log is open; nil without one
	mended *Mended
	behind error

	mu      sync.Mutex
	waiting []*pending // guarded by mu
}

const checkpointName = "checkpoint"

// Open opens the log of a directory, making an empty one where there is none.
// It makes sure that the tiles of the newest leaf are what the checkpoint says,
// and removes what a crash left beyond it. Errors: [ErrMismatch], [ErrNotSigned].
func Open(dir string, key Key) (*Log, error) { return OpenRecalled(dir, key, nil, nil) }

// OpenAnchored is [Open] of a log that has an anchor, which it closes with
// itself. A log that does not fit it is left as it is. Errors: [ErrRolledBack],
// [ErrNoAnchor], and [ErrNotSigned] for an anchor of another log.
func OpenAnchored(dir string, key Key, anchor *Anchor) (*Log, error) {
	return OpenRecalled(dir, key, anchor, nil)
}

// OpenRecalled is [OpenAnchored] of a log of which more is known than its own
// files say: where it is less than that, or damaged, it is mended from what is
// recalled; see the package's doc and [Log.Mended]. Where that does not suffice
// it opens all the same if it can be read, and [Log.Behind] says so.
func OpenRecalled(dir string, key Key, anchor *Anchor, recall *Recall) (*Log, error) {
	l, err := open(dir, key, anchor, recall)
	if err != nil {
		return nil, fmt.Errorf("open log %s: %w", dir, err)
	}
	return l, nil
}

func open(dir string, key Key, anchor *Anchor, recall *Recall) (*Log, error) {
	root, err := openRoot(dir)
	if err != nil {
		return nil, err
	}
	l := &Log{disk: disk{root: root}, verifier: key, key: key, anchor: anchor, recall: recall, turn: make(chan struct{}, 1)}
	if err := l.reconcile(); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	l.recall = nil
	l.pruned = max(0, l.Size()-keepPartial-maxBatch) // what the last write left for the next
	return l, nil
}

// OpenClosed opens a log that grows no more, to be read: it needs no key that
// signs, and changes nothing. Errors: fs.ErrNotExist, [ErrMismatch],
// [ErrNotSigned].
func OpenClosed(dir string, verifier note.Verifier) (*Log, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open log %s: %w", dir, err)
	}
	l := &Log{disk: disk{root: root}, verifier: verifier, turn: make(chan struct{}, 1)}
	if err := l.readNewest(); err != nil {
		return nil, errors.Join(fmt.Errorf("open log %s: %w", dir, err), root.Close())
	}
	return l, nil
}

// openRoot makes the directory durable in its parent, which must be there.
func openRoot(dir string) (*os.Root, error) {
	parent, err := os.OpenRoot(filepath.Dir(filepath.Clean(dir)))
	if err != nil {
		return nil, err
	}
	defer parent.Close()
	if err := (&disk{root: parent}).makeDir(filepath.Base(dir)); err != nil {
		return nil, err
	}
	return os.OpenRoot(dir)
}

// Close lets go of the directory, and of the anchor.
func (l *Log) Close() error {
	err := l.disk.root.Close()
	if l.anchor != nil {
		err = errors.Join(err, l.anchor.Close())
	}
	return err
}

// Origin is the log's name.
func (l *Log) Origin() string { return l.verifier.Name() }

// Head is the newest durable checkpoint.
func (l *Log) Head() Head { return *l.head.Load() }

// Size is how many leaves the newest durable checkpoint covers.
func (l *Log) Size() int64 { return l.head.Load().Size }

func (l *Log) reconcile() error {
	err := l.readNewest()
	if l.mustMend(err) {
		return l.mend(err)
	}
	if errors.Is(err, fs.ErrNotExist) && l.head.Load() == nil {
		return l.begin()
	}
	if err != nil {
		return err
	}
	if err := l.meetAnchor(); err != nil {
		return err
	}
	return l.sweep(l.Size())
}

// readNewest reads the checkpoint and makes sure that the tiles of the newest
// leaf are what it says.
func (l *Log) readNewest() error {
	head, err := l.readHead()
	if err != nil {
		return err
	}
	l.head.Store(&head)
	if head.Size == 0 {
		return nil
	}
	bundle := entryTile(head.Size-1, head.Size)
	if err := l.Walk(context.Background(), bundle.N*width, func(int64, []byte) error { return nil }); err != nil {
		return fmt.Errorf("%w: %w", ErrMismatch, err)
	}
	return nil
}

func (l *Log) readHead() (Head, error) {
	signed, err := l.disk.readSmall(checkpointName)
	if err != nil {
		return Head{}, err
	}
	c, err := VerifyCheckpoint(signed, l.verifier)
	return Head{c, signed}, err
}

// begin writes the checkpoint of an empty log, before there is any tile. So
// tiles without a checkpoint are what is left of a log that had one.
func (l *Log) begin() error {
	if names, err := l.disk.list("tile"); err != nil || len(names) > 0 {
		return errors.Join(fmt.Errorf("%w: there are tiles and no checkpoint; restore it from a backup", ErrMismatch), err)
	}
	empty, err := tlog.TreeHash(0, nil)
	if err != nil {
		return err
	}
	head, err := l.sign(Checkpoint{l.Origin(), 0, empty})
	if err != nil {
		return err
	}
	l.head.Store(&head)
	if err := l.meetAnchor(); err != nil {
		return err
	}
	return l.disk.publish(checkpointName, head.write)
}

func (l *Log) sign(c Checkpoint) (Head, error) {
	signed, err := c.sign(l.key)
	return Head{c, signed}, err
}

func (h *Head) write(w io.Writer) error { _, err := w.Write(h.Signed); return err }
