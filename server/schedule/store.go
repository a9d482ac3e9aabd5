package schedule

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"licensekit/exporter"
	"licensekit/exporter/audit"
	"licensekit/exporter/sealed"
)

const (
	schedulesBucket = "schedules"
	runsBucket      = "schedules.runs"
)

// History is how many runs of a schedule are kept.
const History = 1000

// record is a schedule as it is stored.
type record struct {
	Schedule
	Order  uint64        `json:"order"`  // of creation; clocks go backwards
	Done   time.Time     `json:"done"`   // when the newest run was due; at first when it was made
	Last   string        `json:"last"`   // the newest run's period
	Runs   int64         `json:"runs"`   // the newest run's sequence
	Making []exporter.ID `json:"making"` // the newest run's exports
}

// Store keeps schedules and their runs. Its methods may be called at the same
// time.
type Store struct {
	db    sealed.Database // belongs to whoever opened it
	trail *audit.Trail
	now   func() time.Time

	changed audit.Bell // rings when there is a new schedule
}

// Open makes the store's buckets in an open database if they are missing.
func Open(db sealed.Database, trail *audit.Trail, now func() time.Time) (*Store, error) {
	if err := sealed.MakeBuckets(db, schedulesBucket, runsBucket); err != nil {
		return nil, fmt.Errorf("open schedules: %w", err)
	}
	return &Store{db: db, trail: trail, now: func() time.Time { return now().UTC().Truncate(time.Millisecond) }}, nil
}

// Create makes a schedule. Its first run is the next that is due. Errors:
// *[FieldError], *[report.FilterError].
func (s *Store) Create(ctx context.Context, spec Spec) (Schedule, error) {
	made, err := spec.schedule()
	if err != nil {
		return Schedule{}, err
	}
	now := s.now()
	made.ID, made.CreatedAt = "sch_"+strings.ToLower(rand.Text()), now
	r := record{Schedule: made, Done: now}
	err = s.db.Update(func(tx *bbolt.Tx) (err error) {
		bucket := tx.Bucket([]byte(schedulesBucket))
		if n := bucket.Inspect().KeyN; n >= maxSchedules {
			return &FieldError{"schedule", fmt.Sprintf("would be one too many: there are %d", n)}
		}
		if r.Order, err = bucket.NextSequence(); err != nil {
			return err
		}
		tx.OnCommit(s.changed.Ring)
		if err := sealed.Put(tx, schedulesBucket, r.ID, r); err != nil {
			return err
		}
		return s.trail.Record(ctx, tx, made.event(audit.ScheduleCreated, audit.Metadata{"time": made.Time, "time_zone": made.TimeZone, "filters": made.Filters}))
	})
	if err != nil {
		return Schedule{}, fmt.Errorf("create schedule: %w", err)
	}
	return r.shown(), nil
}

// event tells the audit trail what was done to the schedule.
func (s Schedule) event(done audit.Type, said audit.Metadata) audit.Event {
	said["name"], said["report_kind"], said["formats"], said["period"] = s.Name, s.Kind, s.Formats, s.Period
	return audit.Event{Type: done, ResourceType: "report_schedule", ResourceID: s.ID, Metadata: said}
}

func (r record) shown() Schedule {
	r.NextRunAt = r.after(r.Done).at
	return r.Schedule
}

// Delete ends a schedule. What it has frozen stays. Errors: fs.ErrNotExist.
func (s *Store) Delete(ctx context.Context, id string) error {
	err := s.db.Update(func(tx *bbolt.Tx) error {
		r, err := load(tx, id)
		if err != nil {
			return err
		}
		if err := forgetRuns(tx, id); err != nil {
			return err
		}
		if err := tx.Bucket([]byte(schedulesBucket)).Delete([]byte(id)); err != nil {
			return err
		}
		return s.trail.Record(ctx, tx, r.event(audit.ScheduleDeleted, audit.Metadata{}))
	})
	if err != nil {
		return fmt.Errorf("delete schedule %s: %w", id, err)
	}
	return nil
}

func forgetRuns(tx *bbolt.Tx, id string) error {
	var keys [][]byte
	prefix := []byte(id + "\x00")
	c := tx.Bucket([]byte(runsBucket)).Cursor()
	for key, _ := c.Seek(prefix); bytes.HasPrefix(key, prefix); key, _ = c.Next() {
		keys = append(keys, key)
	}
	for _, key := range keys {
		if err := tx.Bucket([]byte(runsBucket)).Delete(key); err != nil {
			return err
		}
	}
	return nil
}

// Get gives one schedule. Errors: fs.ErrNotExist.
func (s *Store) Get(id string) (Schedule, error) {
	r, err := s.get(id)
	if err != nil {
		return Schedule{}, err
	}
	return r.shown(), nil
}

func (s *Store) get(id string) (r record, err error) {
	err = s.db.View(func(tx *bbolt.Tx) (err error) { r, err = load(tx, id); return err })
	if err != nil {
		return record{}, fmt.Errorf("get schedule: %w", err)
	}
	return r, nil
}

// List gives all schedules, in the order of their creation.
func (s *Store) List() ([]Schedule, error) {
	records, err := sealed.List(s.db, schedulesBucket, load, func(r record) uint64 { return r.Order })
	if err != nil {
		return nil, fmt.Errorf("list schedules: %w", err)
	}
	all := make([]Schedule, len(records))
	for i, r := range records {
		all[i] = r.shown()
	}
	return all, nil
}

// ids names all schedules, those whose value is damaged too.
func (s *Store) ids() (all []string, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error { all = sealed.Keys(tx, schedulesBucket); return nil })
	return all, err
}

func load(tx *bbolt.Tx, id string) (record, error) {
	r, err := sealed.Get[record](tx, schedulesBucket, id)
	if err == nil && r.ID != id {
		err = fmt.Errorf("read %s %s: %w: it is that of %s", schedulesBucket, id, sealed.ErrDamaged, r.ID)
	}
	return r, err
}

func runKey(id string, sequence int64) string {
	return string(binary.BigEndian.AppendUint64([]byte(id+"\x00"), uint64(sequence)))
}

// enter stores a run and how far the schedule has come by it. A schedule that
// was deleted meanwhile is fs.ErrNotExist.
func (s *Store) enter(ctx context.Context, d due, run Run) error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		r, err := load(tx, run.ScheduleID)
		if err != nil {
			return err
		}
		run := run // this may be done again
		r.Done, r.Last, r.Runs, r.Making = d.at, d.period, r.Runs+1, run.Exports
		run.Sequence = r.Runs
		if err := tx.Bucket([]byte(runsBucket)).Delete([]byte(runKey(r.ID, r.Runs-History))); err != nil {
			return err
		}
		if err := sealed.Put(tx, schedulesBucket, r.ID, r); err != nil {
			return err
		}
		if err := sealed.Put(tx, runsBucket, runKey(r.ID, run.Sequence), run); err != nil {
			return err
		}
		done, said := audit.ScheduleRan, audit.Metadata{"from": run.From, "to": run.To, "due_at": run.DueAt, "exports": run.Exports}
		if run.Status == Refused {
			done, said["reason"] = audit.ScheduleRefused, run.Error
		}
		return s.trail.Record(ctx, tx, r.event(done, said))
	})
}

// Runs gives a schedule's runs, newest first, those with a sequence below before,
// or all if that is 0. next is the before of the following page, 0 if there is
// none. Errors: fs.ErrNotExist.
func (s *Store) Runs(id string, before int64, limit int) (page []Run, next int64, err error) {
	page = []Run{}
	err = s.db.View(func(tx *bbolt.Tx) error {
		r, err := load(tx, id)
		if err != nil {
			return err
		}
		from := r.Runs
		if before > 0 {
			from = min(from, before-1)
		}
		for sequence := from; sequence > max(r.Runs-History, 0); sequence-- {
			if len(page) == max(limit, 1) {
				next = sequence + 1
				return nil
			}
			run, err := sealed.Get[Run](tx, runsBucket, runKey(id, sequence))
			if err != nil {
				return err
			}
			page = append(page, run)
		}
		return nil
	})
	if err != nil {
		return nil, 0, fmt.Errorf("list runs of %s: %w", id, err)
	}
	return page, next, nil
}
