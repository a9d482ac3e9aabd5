package server

import (
	"fmt"
	"testing"
	"time"
)

func TestThrottle(t *testing.T) {
	at := time.Unix(1_000_000, 0)
	limit := newThrottle(2, 4) // two a second, four at once
	for i := range 4 {
		if wait := limit.take("a", at); wait != 0 {
			t.Errorf("request %d waits %v, want none to", i, wait)
		}
	}
	for range 3 { // who is refused uses nothing up
		if got, want := limit.take("a", at), 500*time.Millisecond; got != want {
			t.Errorf("the fifth waits %v, want %v", got, want)
		}
	}
	if wait := limit.take("b", at); wait != 0 {
		t.Errorf("another waits %v, want its own allowance", wait)
	}
	at = at.Add(time.Second)
	for i, free := range []bool{true, true, false} {
		if wait := limit.take("a", at); (wait == 0) != free {
			t.Errorf("request %d after a second waits %v, want two more that don't", i+1, wait)
		}
	}
	if wait := limit.take("a", at.Add(-time.Hour)); wait <= 0 {
		t.Errorf("with a clock that goes back: waits %v, want no new allowance", wait)
	}
	if wait := newThrottle(0, 0).take("a", at); wait != 0 {
		t.Errorf("without a limit: waits %v", wait)
	}
}

// However many names there are, memory is bounded, and who was known stays so.
func TestThrottleIsBounded(t *testing.T) {
	at := time.Unix(1_000_000, 0)
	limit := newThrottle(1, 2)
	limit.take("known", at)
	limit.take("known", at)
	for i := range 3 * throttleMost {
		limit.take(fmt.Sprint(i), at)
	}
	if len(limit.known) > throttleMost {
		t.Errorf("%d names are known, want at most %d", len(limit.known), throttleMost)
	}
	if limit.take("known", at) == 0 {
		t.Error("a flood of other names gave a known one a new allowance")
	}
	if limit.take("newcomer", at) == 0 {
		t.Error("newcomers share one allowance, and it is not used up")
	}
	at = at.Add(time.Minute)
	if limit.take("later", at) != 0 || len(limit.known) > 1 {
		t.Errorf("a minute later %d names are known, want the quiet ones forgotten", len(limit.known))
	}
}
