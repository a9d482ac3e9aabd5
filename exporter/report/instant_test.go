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
	var times timeText
	text := make([]byte, len(timeLayout))
	for _, ms := range []int64{MinInstant, -msPerDay, 0, 951_782_400_000, MaxInstant + 1 - msPerDay, MaxInstant} {
		for range 5000 {
			times.put(text, ms)
			if got, want := string(text), FormatTime(ms); got != want {
				t.Fatalf("%d ms: got %s, want %s", ms, got, want)
			}
			ms += (random.Int64N(3) - 1) * steps[random.IntN(len(steps))]
			ms = min(max(ms, MinInstant), MaxInstant)
		}
	}
}
