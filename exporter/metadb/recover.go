package metadb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"licensekit/exporter/durable"
)

// Recovery says how a database was replaced that was no good: by the best that
// the directory held.
type Recovery struct {
	At      time.Time  `json:"at"`
	Problem string     `json:"problem"` // what was wrong with meta.db
	Kept    string     `json:"kept"`    // the file's name since then, "" if it was missing
	From    string     `json:"from"`    // [BeforeLast], or the snapshot's path in the directory
	Taken   *time.Time `json:"taken,omitempty"`
	Refused []string   `json:"refused,omitempty"` // what would have been newer and was no good either
	Contents
}

// Error says what was wrong and what there is instead.
func (r *Recovery) Error() string {
	return fmt.Sprintf("it was no good when it was opened (%s); in its place is %s, with %d activities and %d exports, and what came after that is missing", r.Problem, r.From, r.Activities, r.Exports)
}

// BeforeLast is where a recovery is from that only leaves out the newest
// transaction of the file itself.
const BeforeLast = "meta.db before its last transaction"

// Recovery is what became of the file when it was opened, nil if it was good.
func (db *DB) Recovery() *Recovery { return db.recovery }

// recover looks for the newest state that is good and puts it in the file's
// place. The file is kept aside.
func (h *Home) recover(ctx context.Context, problem error) (*Recovery, error) {
	r := newRecovery(problem)
	staged, err := h.best(ctx, r)
	if err != nil {
		return nil, err
	}
	defer os.Remove(staged) // another name by then, or of no use
	if err := h.keepAside(r); err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, err
	}
	if err := durable.Replace(filepath.Join(h.Dir, recoveryFile), h.Tmp, durable.Content(append(text, '\n'))); err != nil {
		return nil, err
	}
	if err := durable.Rename(staged, h.path()); err != nil {
		return nil, err
	}
	h.Log.Warn("the database has been replaced", "error", r, "transaction", r.Transaction, "kept", r.Kept)
	return r, nil
}

func newRecovery(problem error) *Recovery {
	at := time.Now().UTC().Truncate(time.Second)
	return &Recovery{At: at, Problem: bare(problem), Kept: damaged + at.Format(snapshotTime)}
}

// bare is what an error says beside that a database is damaged.
func bare(err error) string { return strings.TrimPrefix(err.Error(), ErrDamaged.Error()+": ") }

// keepAside gives the file another name beside its own.
func (h *Home) keepAside(r *Recovery) error {
	err := os.Link(h.path(), filepath.Join(h.Dir, r.Kept))
	switch {
	case errors.Is(err, fs.ErrNotExist): // it was missing
		r.Kept = ""
		return nil
	case errors.Is(err, fs.ErrExist): // by a recovery that came to no end
		return nil
	}
	return err
}

// best stages the newest state that is good: the tree before the last one, which
// a tool that was late or early by one transaction has whole, or a snapshot.
func (h *Home) best(ctx context.Context, r *Recovery) (staged string, err error) {
	staged, err = h.stage(h.path(), withoutNewest)
	if err == nil {
		r.From = BeforeLast
		if r.Contents, err = h.Inspect(ctx, staged, true); err == nil {
			return staged, nil
		}
		os.Remove(staged)
	}
	if !r.refuse(BeforeLast, err) {
		return "", err
	}
	list, err := h.snapshots()
	if err != nil {
		return "", err
	}
	for _, s := range list {
		name := filepath.Join(Snapshots, filepath.Base(s.path))
		if r.Contents, err = h.Inspect(ctx, s.path, true); err == nil {
			r.From, r.Taken = name, &s.taken
			return h.stage(s.path, func(*os.File) error { return nil })
		}
		if !r.refuse(name, err) {
			return "", err
		}
		// So that it stands in the way of no later one.
		if err := durable.Rename(s.path, s.path+".damaged"); err != nil {
			return "", err
		}
	}
	return "", fmt.Errorf("%w: %s; nothing to recover from: %s", ErrDamaged, r.Problem, strings.Join(r.Refused, "; "))
}

// refuse notes what was no good either. It tells whether that is what the error
// says.
func (r *Recovery) refuse(name string, err error) bool {
	if !errors.Is(err, ErrDamaged) {
		return false
	}
	r.Refused = append(r.Refused, name+": "+bare(err))
	return true
}

// stage copies a database, changes the copy and makes it durable.
func (h *Home) stage(path string, change func(*os.File) error) (staged string, err error) {
	from, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%w: it is missing", ErrDamaged)
	}
	if err != nil {
		return "", err
	}
	defer from.Close()
	f, err := os.CreateTemp(h.Tmp, File+".*")
	if err != nil {
		return "", err
	}
	if _, err = io.Copy(f, from); err == nil {
		err = change(f)
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// withoutNewest takes the newest of the two meta pages away, so that the tree
// of the other one is the newest.
func withoutNewest(f *os.File) error {
	// Nothing but the meta pages is read here.
	bolt, err := bbolt.Open(f.Name(), 0o600, &bbolt.Options{ReadOnly: true, Timeout: lockWait})
	if err != nil { // it has not even one
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	newest, size := 0, bolt.Info().PageSize
	err = bolt.View(func(tx *bbolt.Tx) error { newest = tx.ID(); return nil })
	if err = errors.Join(err, bolt.Close()); err != nil {
		return err
	}
	_, err = f.WriteAt(make([]byte, size), int64(newest%2)*int64(size))
	return err
}
