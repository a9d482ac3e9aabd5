package command

import "testing"

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "512": 512, "7B": 7, "256MiB": 256 << 20, "1 GiB": 1 << 30, "3kB": 3000, "2TB": 2e12, "1TiB": 1 << 40,
		"": -1, "MiB": -1, "-1": -1, "1.5GiB": -1, "1K": -1, "1 000": -1, "9999999TiB": -1, "0x10": -1,
	} {
		got, err := parseSize(text)
		if want == -1 && err == nil || want != -1 && (got != want || err != nil) {
			t.Errorf("parseSize(%q) = %d, %v; want %d (-1: an error)", text, got, err, want)
		}
	}
}
