package metadb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"licensekit/exporter/durable"
)

// A snapshot is a copy of the database in a file that never changes, named
// after the number of its newest transaction and the time at which it was
// taken. A copy of the directory that took too long for the window has a whole
// one in it.
type snapshot struct {
	path        string
	transaction int64
	taken       time.Time
}

const (
	snapshotForm = "meta-%016d-%s.db"
	snapshotTime = "20060102T150405Z"
	keptAtMost   = 2
)

func (h *Home) snapshotsPath() string { return filepath.Join(h.Dir, Snapshots) }

func (h *Home) snapshotPath(transaction int64, taken time.Time) string {
	return filepath.Join(h.snapshotsPath(), fmt.Sprintf(snapshotForm, transaction, taken.UTC().Format(snapshotTime)))
}

// snapshots lists them, newest first. Other files are passed over.
func (h *Home) snapshots() ([]snapshot, error) {
	entries, err := os.ReadDir(h.snapshotsPath())
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	var list []snapshot
	for _, entry := range entries {
		if s, ok := h.parseSnapshot(entry.Name()); ok {
			list = append(list, s)
		}
	}
	slices.SortFunc(list, func(a, b snapshot) int {
		return cmp.Or(cmp.Compare(b.transaction, a.transaction), b.taken.Compare(a.taken))
	})
	return list, err
}

func (h *Home) parseSnapshot(name string) (s snapshot, ok bool) {
	rest, ok := strings.CutPrefix(name, "meta-")
	number, when, cut := strings.Cut(strings.TrimSuffix(rest, ".db"), "-")
	if _, err := fmt.Sscanf(number, "%d", &s.transaction); err != nil || !ok || !cut {
		return s, false
	}
	var err error
	s.taken, err = time.Parse(snapshotTime, when)
	s.path = h.snapshotPath(s.transaction, s.taken)
	return s, err == nil && filepath.Base(s.path) == name
}

// trim removes all snapshots but the newest ones.
func (h *Home) trim() error {
	list, err := h.snapshots()
	for _, s := range list[min(len(list), keptAtMost):] {
		err = errors.Join(err, os.Remove(s.path))
	}
	return err
}

// Snapshot takes one, unless there is one of the newest state. It holds up
// nobody, and writes no faster than so many bytes a second, 0 for no limit.
func (db *DB) Snapshot(ctx context.Context, rate int64) (taken bool, err error) {
	h := db.enter()
	defer db.exit(h)
	if err := db.Err(); err != nil {
		return false, err
	}
	err = h.bolt.View(func(tx *bbolt.Tx) error {
		known, err := db.home.snapshots()
		if err != nil || len(known) > 0 && known[0].transaction == int64(tx.ID()) {
			return err
		}
		taken = true
		if err := durable.MakeDir(db.home.snapshotsPath()); err != nil {
			return err
		}
		path := db.home.snapshotPath(int64(tx.ID()), time.Now())
		return durable.Create(path, db.home.Tmp, func(f *os.File) error {
			_, err := tx.WriteTo(&paced{ctx: ctx, w: f, rate: rate, began: time.Now()})
			return errors.Join(err, db.Err(), f.Chmod(0o400))
		})
	})
	if err == nil && taken {
		err = db.home.trim()
	}
	if err != nil {
		return false, fmt.Errorf("take a snapshot of %s: %w", db.path, err)
	}
	return taken, nil
}

// paced writes no faster than rate.
type paced struct {
	ctx     context.Context
	w       io.Writer
	rate    int64
	began   time.Time
	written int64
}

// Write passes p on when it is time.
func (p *paced) Write(data []byte) (int, error) {
	if p.rate > 0 {
		due := time.Duration(float64(p.written) / float64(p.rate) * float64(time.Second))
		select {
		case <-time.After(due - time.Since(p.began)):
		case <-p.ctx.Done():
		}
	}
	if err := p.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := p.w.Write(data)
	p.written += int64(n)
	return n, err
}

// How often and how fast snapshots are taken: on average, they write a MiB a
// second.
const (
	leastInterval = 5 * time.Minute
	snapshotRate  = 1 << 20
	snapshotHurry = 64 << 20
	quickSnapshot = 64 << 20 // up to this size one is taken when the process ends
	retryInterval = time.Minute
)

// KeepSnapshots takes snapshots from time to time, until ctx ends: each five
// minutes or, of a database beyond 300 MiB, as many seconds as it has MiB. The
// time since the newest that there is counts, so that starting often does not
// mean writing much.
func (db *DB) KeepSnapshots(ctx context.Context) {
	pause := db.untilDue(time.Now())
	for {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		pause = db.interval()
		if _, err := db.Snapshot(ctx, snapshotHurry); err != nil && ctx.Err() == nil {
			db.home.Log.Error("no new snapshot of the database", "error", err)
			pause = retryInterval
		}
	}
	if db.size() > quickSnapshot {
		return
	}
	if _, err := db.Snapshot(context.WithoutCancel(ctx), 0); err != nil {
		db.home.Log.Error("no snapshot of the database at the end", "error", err)
	}
}

func (db *DB) interval() time.Duration {
	return max(leastInterval, time.Duration(db.size()/snapshotRate)*time.Second)
}

// untilDue is how long the newest snapshot is new enough, 0 if there is none.
func (db *DB) untilDue(now time.Time) time.Duration {
	list, err := db.home.snapshots()
	if err != nil || len(list) == 0 {
		return 0
	}
	interval := db.interval()
	return min(max(0, interval-now.Sub(list[0].taken)), interval)
}

func (db *DB) size() int64 {
	h := db.enter()
	defer db.exit(h)
	return h.used()
}
