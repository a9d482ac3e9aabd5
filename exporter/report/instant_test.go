package report

import (
	"math/rand/v2"
	"testing"
)

// Instants that follow each other are written as each by itself, to whatever
// minute and day the one before belongs.
func TestInstantsInARow(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	steps := []int64{1, 1000, msPerMinute, msPerDay}
	var times TimeAppender
	for _, ms := range []int64{minInstant, -msPerDay, 0, 951_782_400_000, maxInstant + 1 - msPerDay, maxInstant} {
		for range 5000 {
			if got, want := string(times.Append(nil, ms)), FormatTime(ms); got != want {
				t.Fatalf("%d ms: got %s, want %s", ms, got, want)
			}
			ms += (random.Int64N(3) - 1) * steps[random.IntN(len(steps))]
			ms = min(max(ms, minInstant), maxInstant)
		}
	}
}
