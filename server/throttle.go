package server

import (
	"maps"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// throttleMost is how many names a throttle tells apart. It forgets those that
// have been quiet for long enough to make no difference; if too many are left,
// newcomers share one allowance.
const throttleMost = 10_000

// throttle gives each name an allowance that refills over time.
type throttle struct {
	refill rate.Limit // a second
	burst  int        // 0 for no limit at all

	mu     sync.Mutex
	known  map[string]*rate.Limiter // guarded by mu
	others *rate.Limiter            // guarded by mu
	swept  time.Time                // guarded by mu
}

func newThrottle(refill rate.Limit, burst int) *throttle {
	return &throttle{refill: refill, burst: burst, known: map[string]*rate.Limiter{}, others: rate.NewLimiter(refill, burst)}
}

// take uses up one of a name's allowance. Where none is left, it uses nothing
// and gives how long it takes until there is one.
func (t *throttle) take(name string, now time.Time) time.Duration {
	if t.burst == 0 {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.limiter(name, now).ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

func (t *throttle) limiter(name string, now time.Time) *rate.Limiter {
	if l := t.known[name]; l != nil {
		return l
	}
	if len(t.known) >= throttleMost {
		t.sweep(now)
	}
	if len(t.known) >= throttleMost {
		return t.others
	}
	l := rate.NewLimiter(t.refill, t.burst)
	t.known[name] = l
	return l
}

// sweep forgets names whose allowance is whole again, at most once a second.
func (t *throttle) sweep(now time.Time) {
	if now.Sub(t.swept) < time.Second {
		return
	}
	t.swept = now
	maps.DeleteFunc(t.known, func(_ string, l *rate.Limiter) bool { return l.TokensAt(now) >= float64(t.burst) })
}
