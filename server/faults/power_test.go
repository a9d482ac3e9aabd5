//go:build linux

package faults

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"licensekit/exporter"
)

// powerCuts is how often TestPowerLoss cuts the power, and set by
// LICENSEKIT_POWER_CUTS.
const powerCuts = 40

// TestPowerLoss cuts the power at many moments of a run of the program, and
// opens what the disk may hold then. The controls do so with a disk that does
// not do what it is asked to; the same test must see that.
func TestPowerLoss(t *testing.T) {
	need(t, "strace")
	t.Parallel()
	s := newStory(t)
	for _, c := range s.cut(t, count("LICENSEKIT_POWER_CUTS", powerCuts), nil) {
		t.Run(fmt.Sprintf("after moment %d", c.moment), func(t *testing.T) {
			t.Parallel()
			c.wantNothingLost(t)
			if t.Failed() {
				t.Logf("%v\nnot there: %s", c, strings.Join(c.lost, "; "))
			}
		})
	}
	for name, ignores := range unsynced {
		cuts := s.cut(t, controlCuts, ignores)
		t.Run("without syncs of "+name, func(t *testing.T) {
			t.Parallel()
			failed := 0
			var problems []error
			for _, c := range cuts {
				found := c.loses(t)
				failed += one(len(found) > 0)
				problems = append(problems, found...)
			}
			if failed == 0 {
				t.Fatal("got no loss: the test sees nothing")
			}
			t.Logf("%d of %d cuts lost something: %.200v", failed, len(cuts), problems[0])
		})
	}
}

// controlCuts is how often each control cuts the power.
const controlCuts = 3

// unsynced are the controls: syncs that do nothing, from the moment on at which
// the token was given out.
var unsynced = map[string]func(path string, directory bool) bool{
	"anything":    func(string, bool) bool { return true },
	"directories": func(_ string, directory bool) bool { return directory },
	"meta.db":     func(path string, _ bool) bool { return filepath.Base(path) == "meta.db" },
	"blobs":       func(path string, directory bool) bool { return !directory && strings.Contains(path, "/blobs/") },
	"the log":     func(path string, directory bool) bool { return !directory && strings.Contains(path, "/log/") },
}

// story is what was traced, and what clients were told: a data directory is made
// and a server used until it is killed, the log is begun anew, and a server used
// until it is stopped.
type story struct {
	base    string // the directory that is the disk
	traces  string // a directory of them
	begins  []int  // how many moments there were before each
	moments []moment
	whole   *replay // of all moments
	book    *book
	told    []int // the moments from which on its facts were known
	admin   string
}

func newStory(t *testing.T) *story {
	t.Helper()
	s := &story{base: filepath.Join(t.TempDir(), "disk"), traces: t.TempDir(), book: &book{}}
	if err := os.Mkdir(s.base, 0o700); err != nil {
		t.Fatal(err)
	}
	s.admin = strings.TrimSpace(s.command(t, "token", "issue", "--name", "faults", "--scope", "admin"))
	c := &clients{t: t, book: s.book, rotates: true}
	i, ended := s.serve(t, c, 1)
	syscall.Kill(i.pid, syscall.SIGKILL)
	i.wait()
	ended()
	s.settleKilled(t, s.add(t))
	s.command(t, "log", "restart")
	i, ended = s.serve(t, c, 2)
	ended()
	c.settle(i)
	c.follow(i)
	if c.complain(); t.Failed() {
		t.FailNow()
	}
	if code := i.stop(); code != 0 {
		t.Fatalf("stop: got exit code %d, want 0:\n%s", code, &i.output)
	}
	s.add(t)
	var err error
	if s.whole, err = s.replayed(); err != nil {
		t.Fatalf("the replay differs from the disk: %v", err)
	}
	for _, f := range s.book.all() {
		s.told = append(s.told, s.tellingOf(f))
	}
	t.Logf("%d moments; %s", len(s.moments), s.book.summary())
	return s
}

// trace is where the next trace goes.
func (s *story) trace() string { return filepath.Join(s.traces, fmt.Sprint(len(s.begins))) }

// command runs one to its end.
func (s *story) command(t *testing.T, args ...string) (stdout string) {
	t.Helper()
	line := append(append(tracer(s.trace()), program), args...)
	cmd := exec.Command(line[0], append(line[1:], "--data", dataIn(s.base))...)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("licensekit %v: got %v:\n%s", args, err, &errs)
	}
	s.add(t)
	return string(out)
}

// serve starts a server, and clients that use it one after the other and then
// at the same time, until there are some more exports. ended stops them, or
// waits for them if the server has come to an end.
func (s *story) serve(t *testing.T, c *clients, round int) (i *instance, ended func()) {
	t.Helper()
	i = launch(t, dataIn(s.base), tracer(s.trace()))
	if !i.up(s.admin) {
		t.Fatalf("start: got the end of the process, want a server:\n%s", &i.output)
	}
	i.pid = i.traced()
	c.settle(i)
	c.script(t.Context(), i, round)
	ctx, cancel := context.WithCancel(t.Context())
	before := len(about(s.book.all(), export))
	waited := c.begin(ctx, i, 4)
	for deadline := time.Now().Add(patience); len(about(s.book.all(), export)) < before+25; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the clients get nothing done:\n%s", &i.output)
		}
	}
	return i, func() { cancel(); waited() }
}

// add takes in what was traced.
func (s *story) add(t *testing.T) *trace {
	t.Helper()
	trace, err := readTrace(s.trace())
	if err != nil {
		t.Fatal(err)
	}
	s.begins, s.moments = append(s.begins, len(s.moments)), append(s.moments, trace.moments...)
	return trace
}

// replayed does all of it. Error: it can't be what was done, or the disk is not
// as it would be.
func (s *story) replayed() (*replay, error) {
	r := newReplay(s.base)
	for _, m := range s.moments {
		if err := r.next(m); err != nil {
			return r, err
		}
	}
	return r, r.medium.root.compare(s.base)
}

// settleKilled finds out which of the calls that the end of a process came into
// were done: with those the replay is as the disk is.
func (s *story) settleKilled(t *testing.T, ended *trace) {
	t.Helper()
	r, err := s.replayed()
	var open []*call
	for _, c := range ended.cut {
		if e := r.doing[c]; e != nil && len(e.changes) > 0 {
			open = append(open, c)
		}
	}
	for undone := range 1 << len(open) {
		for n, c := range open {
			c.failed = undone>>n&1 == 1
		}
		if undone > 0 {
			_, err = s.replayed()
		}
		if err != nil {
			continue
		}
		last := s.moments[len(s.moments)-1]
		for _, c := range open {
			if !c.failed {
				c.result = map[bool]string{true: strconv.Itoa(len(c.data)), false: "0"}[c.data != nil]
				s.moments = append(s.moments, moment{c, true, last.at, ended})
			}
		}
		return
	}
	t.Fatalf("after a kill in %d calls: the replay differs from the disk: %v", len(open), err)
}

// dataIn is the data directory on a disk.
func dataIn(base string) string { return filepath.Join(base, "data") }

// tellingOf is the moment from which on a fact was known to a client: that at
// which its answer was begun, or the first that is surely later.
func (s *story) tellingOf(f fact) int {
	if at, ok := s.whole.answers[f.event]; ok {
		return at
	}
	for n, m := range s.moments {
		if m.at.After(f.at) {
			return n + 1
		}
	}
	return len(s.moments)
}

// answered is the moment of the first answer after another one, or the last.
func (s *story) answered(after int) int {
	for _, moment := range s.whole.moments[ofAnswers][""] {
		if moment > after {
			return moment
		}
	}
	return len(s.moments)
}

// cut cuts the power a number of times: one in eight of them before the token
// was given out, and one in four in a start, up to the first answer. If some
// syncs are ignored, none is early, and of what is not synced half is there.
func (s *story) cut(t *testing.T, number int, ignores func(path string, directory bool) bool) (cuts []*powerCut) {
	t.Helper()
	random := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	given, r := s.whole.answers[s.admin], newReplay(s.base)
	var at []int
	for n := range number {
		switch {
		case ignores != nil:
			at = append(at, s.draw(random, len(s.moments)/4, len(s.moments)/2))
		case n%8 == 0:
			at = append(at, s.draw(random, 0, given))
		case n%4 == 1:
			from := s.begins[1+random.IntN(len(s.begins)-1)]
			at = append(at, s.draw(random, from, s.answered(from)))
		default:
			at = append(at, s.draw(random, given, len(s.moments)))
		}
	}
	if ignores != nil {
		r.ignores = func(path string, directory bool) bool { return r.moment > given && ignores(path, directory) }
	}
	slices.Sort(at)
	for _, moment := range at {
		for r.moment < moment {
			if err := r.next(s.moments[r.moment]); err != nil {
				t.Fatal(err)
			}
		}
		c := &powerCut{moment: moment, luck: newLuck(random, r.medium), copied: random.IntN(6) == 0}
		if ignores != nil {
			c.luck = &luck{random: random, names: some, data: some, sizes: some, chance: 0.5, torn: sectorSize}
		}
		if err := c.lay(r, filepath.Join(t.TempDir(), "disk")); err != nil {
			t.Fatal(err)
		}
		if given <= moment {
			c.admin = s.admin
		}
		for n, f := range s.book.all() {
			if s.told[n] <= moment {
				c.facts = append(c.facts, f)
			} else {
				c.later = append(c.later, f)
			}
		}
		cuts = append(cuts, c)
	}
	return cuts
}

// draw picks a moment: before or soon after an answer, a sync, a change of a
// name or a write, of any sort of file as likely as of any other.
func (s *story) draw(random *rand.Rand, from, to int) int {
	kinds := []kind{ofAnswers, ofSyncs, ofNames, ofContent}
	for {
		sorts := s.whole.moments[kinds[random.IntN(len(kinds))]]
		names := slices.Sorted(maps.Keys(sorts))
		at := sorts[names[random.IntN(len(names))]]
		moment := at[random.IntN(len(at))] - 1 + random.IntN(3)*random.IntN(3)
		if moment >= from && moment < to {
			return moment
		}
	}
}

// powerCut is a disk after a power cut.
type powerCut struct {
	moment int // the last one before it
	luck   *luck
	copied bool   // it is looked at on another disk, or will be taken for a copy for another reason
	dir    string // the data directory
	lost   []string

	admin string // the token, "" if nobody had been given it
	facts []fact // that were known
	later []fact // those that were not
}

// String says when it was.
func (c *powerCut) String() string {
	return fmt.Sprintf("power cut after moment %d, %v; on another disk: %t", c.moment, c.luck, c.copied)
}

// lay makes what the disk holds.
func (c *powerCut) lay(r *replay, base string) error {
	made, lost, err := r.medium.after(c.luck, base)
	c.dir, c.lost = dataIn(base), lost
	if err == nil && !c.copied {
		c.copied, err = r.settlePlace(c.dir, made)
	}
	return err
}

// start opens what the disk holds. There may be no server then.
func (c *powerCut) start(t *testing.T) (i *instance, problems []error) {
	t.Helper()
	if c.admin == "" {
		stdout, stderr, code := licensekit(t, "token", "issue", "--data", c.dir, "--name", "faults", "--scope", "admin")
		if c.admin = strings.TrimSpace(stdout); code != 0 {
			return nil, []error{fmt.Errorf("token issue: got exit code %d, want 0: %s", code, stderr)}
		}
	}
	if i = launch(t, c.dir, nil); !i.up(c.admin) {
		return nil, []error{fmt.Errorf("serve: got the end of the process:\n%s", &i.output)}
	}
	return i, nil
}

// compare gives what is missing of that which clients had been told. What they
// had not been told may be there, and nothing that contradicts it.
func (c *powerCut) compare(i *instance) (problems []error) {
	problems = missing(i, c.facts, len(c.facts) > 0)
	if err := wantNoConflicts(i, about(c.later, activity)); err != nil {
		problems = append(problems, err)
	}
	return problems
}

// loses tells what is missing after a disk did not do what it was asked to. What
// takes longer than anything that is well is no server.
func (c *powerCut) loses(t *testing.T) (problems []error) {
	t.Helper()
	i, problems := c.start(t)
	if i == nil {
		return problems
	}
	defer i.kill()
	defer time.AfterFunc(controlLimit, i.kill).Stop()
	return c.compare(i)
}

const controlLimit = 20 * time.Second

// wantNothingLost also wants all exports that there are to be whole, and that
// the work goes on.
func (c *powerCut) wantNothingLost(t *testing.T) {
	t.Helper()
	if c.admin != "" {
		wantWholeBlobs(t, c.dir, time.Time{})
	}
	i, problems := c.start(t)
	if i != nil {
		problems = c.compare(i)
	}
	for _, problem := range problems {
		t.Error(problem)
	}
	if t.Failed() {
		return
	}
	for line := range strings.Lines(i.output.String()) {
		if strings.Contains(line, "level=ERROR") || strings.Contains(line, "level=WARN") && !(c.isCopy() && strings.Contains(line, "copy")) {
			t.Errorf("the server said: %s", line)
		}
	}
	exports, err := c.exports(i)
	if err != nil {
		t.Error(err)
	}
	b := &book{facts: exports}
	more := &clients{t: t, book: b, patient: true}
	more.script(t.Context(), i, 3)
	more.complain()
	wantAll(t, i, b)
	wantVerified(t, i, b)
	if code := i.stop(); code != 0 {
		t.Errorf("stop: got exit code %d, want 0:\n%s", code, &i.output)
	}
	wantWholeBlobs(t, c.dir, time.Time{})
	wantClean(t, c.dir)
}

// isCopy tells whether the directory is taken for a copy of the one that was
// cut: also where its start removes another name of the file by which that is
// told, which changes its time.
func (c *powerCut) isCopy() bool {
	return c.copied || slices.ContainsFunc(c.lost, func(what string) bool { return strings.HasPrefix(what, "remove .licensekit.json.") })
}

// wantNoConflicts sends again what nobody had been told of: it may be there.
func wantNoConflicts(i *instance, facts []fact) error {
	if len(facts) == 0 {
		return nil
	}
	var texts []string
	for _, f := range facts {
		texts = append(texts, f.text)
	}
	result, _, err := send(i.t.Context(), i.api, "/api/v1/activities", ndjson.contentType, strings.Join(texts, "\n"), url.Values{"dry_run": {"true"}})
	if err == nil && result.Accepted+result.Duplicates != int64(len(facts)) {
		err = fmt.Errorf("activities that were under way, sent again: got %+v", result)
	}
	return err
}

// exports lists all that there are. Each must come to its end.
func (c *powerCut) exports(i *instance) (exports []fact, err error) {
	query := url.Values{"limit": {"200"}}
	for {
		var list []exporter.Export
		page, err := i.api.Call(i.t.Context(), http.MethodGet, "/api/v1/reports/exports", query, nil, &list)
		if err != nil {
			return exports, err
		}
		for _, x := range list {
			if err := wantExport(i.t.Context(), i.api, x, true); err != nil {
				return exports, err
			}
			exports = append(exports, fact{of: export, id: string(x.ID), export: x})
		}
		if page.NextCursor == nil {
			return exports, nil
		}
		query.Set("cursor", strconv.FormatInt(*page.NextCursor, 10))
	}
}
