package exporter

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"go.etcd.io/bbolt"

	"licensekit/exporter/evidence"
	"licensekit/exporter/evidence/tilelog"
)

// A data directory has one log that grows, in log/. A restart closes it and
// begins another under a name of its own; closed ones stay as they are in
// log.1/, log.2/ and so on, oldest first, for what is in them stays provable.
// nextLogDir is there only while the new log takes its place.
const nextLogDir = "log.next"

// Log is one of the logs of a data directory.
type Log struct {
	*tilelog.Log
	Number int                      // from 1, the oldest
	Key    evidence.PublicKeyRecord // under the log's name; retired if the log is closed
}

// Closed tells whether the log grows no more.
func (l *Log) Closed() bool { return l.Key.Status == evidence.Retired }

// The errors of a log that does not fit its anchor.
var (
	ErrRolledBack = tilelog.ErrRolledBack
	ErrNoAnchor   = tilelog.ErrNoAnchor
)

// ErrOutlived reports that the log, those before it and the keys are of before
// and after a restart of the log. None of them must go on: a key would sign a
// log that is not its own, or a log that was closed would grow.
var ErrOutlived = errors.New("the directory was copied while its log was restarted")

func closedLogDir(data string, n int) string {
	return filepath.Join(data, fmt.Sprintf("%s.%d", logDir, n))
}

// firstOrigin names the log that an instance begins with. The names of later
// ones begin with it, and a slash.
func firstOrigin(instance string) string { return "licensekit/" + instance }

// closedLogs counts the logs that were closed.
func closedLogs(data string) (n int, err error) {
	for ; ; n++ {
		switch _, err := os.Lstat(closedLogDir(data, n+1)); {
		case errors.Is(err, fs.ErrNotExist):
			return n, nil
		case err != nil:
			return n, err
		}
	}
}

// originIn is the name of the log in a directory, fs.ErrNotExist if there is
// none. It must be one of the instance's.
func originIn(dir, instance string) (string, error) {
	signed, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil {
		return "", err
	}
	c, err := tilelog.ParseCheckpoint(signed)
	if err == nil && !isOurs(c.Origin, instance) {
		err = fmt.Errorf("it is log %s, which is not of instance %s", c.Origin, instance)
	}
	if err != nil {
		return "", fmt.Errorf("open log %s: %w", dir, err)
	}
	return c.Origin, nil
}

func isOurs(origin, instance string) bool {
	first := firstOrigin(instance)
	return origin == first || strings.HasPrefix(origin, first+"/")
}

// openLogs opens the closed logs, then the one that grows. What it opened is
// in e.logs also after an error.
func (e *Exporter) openLogs(ctx context.Context, dir *Directory, key *evidence.SigningKey) error {
	data := dir.Path
	closed, err := closedLogs(data)
	if err != nil {
		return err
	}
	for n := range closed {
		l, key, err := evidence.OpenClosedLog(closedLogDir(data, n+1), e.keys)
		if err != nil {
			return err
		}
		e.addLog(l, key)
		if !isOurs(l.Origin(), e.instance) {
			return fmt.Errorf("open log %s: it is log %s, which is not of instance %s", closedLogDir(data, n+1), l.Origin(), e.instance)
		}
	}
	l, err := openGrowing(ctx, dir, e.keys, key, e.opts.Anchor)
	if err != nil {
		return err
	}
	named, err := evidence.NewLogKey(l.Origin(), key.Public)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	e.log = e.addLog(l, named.Record(evidence.Active, key.CreatedAt))
	return e.lookForLater()
}

// lookForLater finds out whether the database knows of a log that follows the
// one which grows here.
func (e *Exporter) lookForLater() error {
	own := logNumber(e.log.Origin())
	return e.db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, _ *bbolt.Bucket) error {
			origin, ok := strings.CutPrefix(string(name), loggedBucket+" ")
			if ok && logNumber(origin) > own {
				e.later = origin
			}
			return nil
		})
	})
}

// logNumber is the place of a log among the instance's, as its name says.
func logNumber(origin string) (n int) {
	if _, err := fmt.Sscanf(path.Base(origin), "%d-", &n); err != nil {
		return 1
	}
	return n
}

// openGrowing opens the log that grows, with what the rest of the directory
// knows of it.
func openGrowing(ctx context.Context, d *Directory, keys string, key *evidence.SigningKey, anchor string) (*tilelog.Log, error) {
	if how, err := evidence.Parted(d.Log(), keys); err != nil {
		return nil, err
	} else if how != "" {
		return nil, fmt.Errorf("open log %s: %s: %w", d.Log(), how, ErrOutlived)
	}
	if anchor != "" {
		if err := outside(d.Path, anchor); err != nil {
			return nil, err
		}
	}
	origin, err := growingOrigin(d)
	if err == nil {
		err = notClosed(d, origin)
	}
	if err != nil {
		return nil, err
	}
	recall, err := recallOf(ctx, d, origin)
	if err != nil {
		return nil, err
	}
	return evidence.OpenRecalledLog(d.Log(), key, origin, anchor, recall)
}

// growingOrigin is the name of the log that grows. The first log of all needs
// no checkpoint to have one.
func growingOrigin(d *Directory) (string, error) {
	origin, err := originIn(d.Log(), d.Instance)
	if !errors.Is(err, fs.ErrNotExist) {
		return origin, err
	}
	if closed, countErr := closedLogs(d.Path); countErr != nil || closed > 0 {
		return "", errors.Join(err, countErr)
	}
	return firstOrigin(d.Instance), nil
}

// notClosed wants a log not to be among those that were closed.
func notClosed(d *Directory, origin string) error {
	closed, err := closedLogs(d.Path)
	for n := range closed {
		if other, err := originIn(closedLogDir(d.Path, n+1), d.Instance); err == nil && other == origin {
			return fmt.Errorf("open log %s: it was closed, and is %s too: %w", d.Log(), closedLogDir(d.Path, n+1), ErrOutlived)
		}
	}
	return err
}

// Behind is an [ErrBehind] if the directory is an older copy whose log lacks
// entries that it is known to have had: what there is can be read, and nothing
// more can be frozen until the log was restarted. It is nil otherwise.
func (e *Exporter) Behind() error {
	if e.later != "" {
		return fmt.Errorf("%w: a restart has closed it, and log %s, which follows it, is missing", ErrBehind, e.later)
	}
	return e.log.Behind()
}

// outside refuses an anchor that would be restored along with the directory.
func outside(data, anchor string) error {
	data, err := filepath.Abs(data)
	if err != nil {
		return err
	}
	if data, err = filepath.EvalSymlinks(data); err != nil {
		return err
	}
	dir, err := filepath.Abs(filepath.Dir(anchor))
	if err != nil {
		return err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return fmt.Errorf("anchor %s: %w", anchor, err)
	}
	if rel, err := filepath.Rel(data, dir); err == nil && filepath.IsLocal(rel) {
		return fmt.Errorf("anchor %s is inside the data directory, and would be restored with it", anchor)
	}
	return nil
}

func (e *Exporter) addLog(l *tilelog.Log, key evidence.PublicKeyRecord) *Log {
	added := &Log{Log: l, Number: len(e.logs) + 1, Key: key}
	e.logs = append(e.logs, added)
	return added
}

func (e *Exporter) closeLogs() error {
	var errs []error
	for _, l := range e.logs {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// Log is the log of exports that grows, for those who read it.
func (e *Exporter) Log() *Log { return e.log }

// Logs are all logs, oldest first; the last one grows.
func (e *Exporter) Logs() []*Log { return e.logs }

// logOf finds the log of a name.
func (e *Exporter) logOf(origin string) (*Log, error) {
	for _, l := range e.logs {
		if l.Origin() == origin {
			return l, nil
		}
	}
	return nil, fmt.Errorf("log %s: %w", origin, fs.ErrNotExist)
}

// checkLogs walks the leaves, whose hashes each log compares with its tree. pace
// is told of each, and may hold it back.
func (e *Exporter) checkLogs(ctx context.Context, r *CheckResult, pace func(leaf []byte) error) error {
	before, signs := e.Key().ID(), ""
	for _, l := range e.logs {
		err := l.Walk(ctx, 0, func(index int64, leaf []byte) error {
			r.Checked.Entries++
			signer, err := e.checkLeaf(leaf)
			signs = cmp.Or(signer, signs)
			if err == nil {
				err = e.checkEntered(l, index, leaf)
			}
			r.note("log", fmt.Sprintf("%s %d", l.Origin(), index), err)
			return errors.Join(ctx.Err(), pace(leaf))
		})
		if ctx.Err() == nil {
			r.note("log", l.Origin(), err)
		}
		if err := l.CheckPartials(ctx); ctx.Err() == nil {
			r.note("log", l.Origin(), err)
		}
		if err := e.checkCosigned(r, l); err != nil {
			return err
		}
	}
	e.noteIn(r, "log", e.log.Origin(), e.Behind())
	if after := e.Key().ID(); signs != "" && signs != before && signs != after { // it may have been rotated meanwhile
		err := fmt.Errorf("the log says that %s signs exports, and of no rotation to this key", signs)
		if e.Behind() != nil { // which may be what is lacking
			err = fmt.Errorf("%w: %w", ErrBehind, err)
		}
		e.noteIn(r, "key", after, err)
	}
	return nil
}

// checkEntered compares what the database knows of a leaf with the leaf. That of
// the newest may not be entered yet.
func (e *Exporter) checkEntered(l *Log, index int64, leaf []byte) error {
	return e.db.View(func(tx *bbolt.Tx) error {
		known := tx.Bucket(e.loggedIn(l.Origin())).Get([]byte(sequenceKey(index)))
		if len(known) == 0 || bytes.Equal(known, leaf) {
			return nil
		}
		m, err := evidence.ParseManifest(leaf)
		if err != nil || string(known) != m.ExportID {
			return fmt.Errorf("the database takes it for another leaf, or %.40q", known)
		}
		return nil
	})
}

// checkLeaf checks what a leaf is about. signer is the id of the key that it
// shows to sign exports, "" where it shows none.
func (e *Exporter) checkLeaf(leaf []byte) (signer string, err error) {
	kind, err := evidence.LeafType(leaf)
	if err != nil {
		return "", err
	}
	switch kind {
	case evidence.PredicateType:
		m, err := evidence.ParseManifest(leaf)
		if err != nil {
			return "", err
		}
		_, err = e.entry(ID(m.ExportID))
		return m.KeyID, err
	case evidence.RotationType:
		rotation, err := evidence.ParseRotation(leaf)
		if err != nil {
			return "", err
		}
		return rotation.New.ID(), nil
	case evidence.RestartType:
		return "", e.checkRestart(leaf)
	}
	return "", nil
}
