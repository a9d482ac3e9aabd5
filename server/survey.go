package server

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"licensekit/exporter"
)

// survey knows what the files of the data directory take. To look at each of a
// million files takes seconds, so it does that beside the requests and takes a
// hundredth of the time for it: what it tells is that old at most.
type survey struct {
	dir    *exporter.Directory
	log    *slog.Logger
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu    sync.Mutex
	known *exporter.Usage // guarded by mu, as is
	next  time.Time       // when to look again
	done  chan struct{}   // closed once who looks now is done; nil if nobody does
}

const (
	surveyShare = 100             // for each second of looking, so many of rest
	surveyWait  = 2 * time.Second // for a new result; after that an older one does
)

func newSurvey(dir *exporter.Directory, log *slog.Logger) *survey {
	s := &survey{dir: dir, log: log}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Close ends the looking.
func (s *survey) Close() {
	s.mu.Lock()
	s.cancel() // with it, for nobody begins to look any more
	s.mu.Unlock()
	s.work.Wait()
}

// latest gives what is known, and looks again if it is time.
func (s *survey) latest() (usage exporter.Usage, known bool) {
	if done := s.begin(); done != nil {
		select {
		case <-done:
		case <-time.After(surveyWait):
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		return usage, false
	}
	return *s.known, true
}

// begin gives what is closed once somebody has looked; nil where it is too
// early for that.
func (s *survey) begin() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done == nil && time.Now().After(s.next) && s.ctx.Err() == nil {
		s.done = make(chan struct{})
		s.work.Go(s.look)
	}
	return s.done
}

func (s *survey) look() {
	began := time.Now()
	usage, err := s.dir.Usage(s.ctx)
	if err != nil && s.ctx.Err() == nil {
		s.log.Warn("metrics are incomplete", "error", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.known = &usage
	}
	s.next = time.Now().Add(surveyShare * time.Since(began))
	close(s.done)
	s.done = nil
}
