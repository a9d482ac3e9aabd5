package typeset

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-text/typesetting/font"
)

// said joins what the glyphs of a line stand for, from left to right.
func (s *Setter) said(l Line) (text string) {
	for _, g := range l.Glyphs {
		text += s.used[g.Face].Text(int(g.Code))
	}
	return strings.ReplaceAll(text, Nothing, "")
}

func TestLineShowsEachRune(t *testing.T) {
	s := NewSetter()
	for text, want := range map[string]string{
		"":                         "",
		"Łódź Δίκτυο Волга":        "Łódź Δίκτυο Волга",
		"建築 한강 テスト":                "建築 한강 テスト",
		"e\u0301":                  "e\u0301",
		"a 😀 b":                    "a [U+1F600] b",
		"\u202Eabc":                "[U+202E]abc",
		"a\tb\n":                   "a[U+0009]b[U+000A]",
		"\u00AD\uFEFF\u2028\uE000": "[U+00AD][U+FEFF][U+2028][U+E000]",
		"नम":                       "[U+0928][U+092E]",
		"שלום":                     "םולש",
		"abc שלום 12 def":          "abc 12 םולש def",
		"שלום abc 12":              "abc 12 םולש",
		"א (ב) ג":                  "ג (ב) א",
		"x\u200Dy":                 "x[U+200D]y",
	} {
		got := s.said(s.Line(Regular, text))
		if strings.ContainsAny(text, "()") { // which of the two stands where depends on the direction
			got, want = mirrored.Replace(got), mirrored.Replace(want)
		}
		if got != want {
			t.Errorf("%q is set as %q, want %q", text, got, want)
		}
	}
}

var mirrored = strings.NewReplacer("(", "|", ")", "|")

// The cases of UAX 9 that names and amounts meet.
func TestLevels(t *testing.T) {
	for text, want := range map[string]string{
		"abc":         "000",
		"אבג":         "111",
		"12":          "00",
		"א 12 ב":      "112211",
		"a א 12":      "001122",
		"a א 1 b":     "0011200",
		"a א b":       "00100",
		"א a":         "112",
		"ا١٢":         "122",
		"ا 12,5%":     "1122221",
		"א 12,5%":     "1122222",
		"א (b) ג":     "1112111",
		"a (א) b":     "0001000",
		"a א, ב b":    "00111100",
		"א b (c ד) e": "11211211112",
	} {
		base, got := levels([]rune(text))
		digits := ""
		for _, level := range got {
			digits += string('0' + rune(level))
		}
		wantBase := uint8(0)
		if rightToLeft([]rune(text)[0]) {
			wantBase = 1
		}
		if digits != want || base != wantBase {
			t.Errorf("levels of %q are %s in a paragraph of level %d, want %s in one of %d", text, digits, base, want, wantBase)
		}
	}
}

func TestArabicIsJoined(t *testing.T) {
	s := NewSetter()
	joined, alone := s.Line(Regular, "بب"), s.Line(Regular, "ب")
	a, b := s.used[0].uses[joined.Glyphs[0].Code], s.used[0].uses[joined.Glyphs[1].Code]
	if a.glyph == b.glyph || a.glyph == s.used[0].uses[alone.Glyphs[0].Code].glyph {
		t.Errorf("two letters are drawn with the glyphs %d and %d: want two forms, none of them the isolated one", a.glyph, b.glyph)
	}
	if a.text != "ب" || b.text != "ب" {
		t.Errorf("the glyphs stand for %q and %q, want the letter itself", a.text, b.text)
	}
}

// Whatever the text, its lines have all of it and are no wider than asked for.
func TestLinesKeepTextAndWidth(t *testing.T) {
	pieces := []string{"a", "Ω", " ", "  ", "-", "/", "語", "한", "ש", "ם ", "م", "لا", "é", "e\u0301", "😀", "\u202E", "12", ",", "(", ")", "longer-word", "\u0301", "\u200C"}
	random := rand.New(rand.NewPCG(1, 2))
	s := NewSetter()
	for range 2_000 {
		text := ""
		for range random.IntN(30) {
			text += pieces[random.IntN(len(pieces))]
		}
		width := 500 + random.IntN(20_000)
		got := ""
		for _, l := range s.Lines(Regular, text, width) {
			got += s.said(l)
			if l.Width > width && len(l.Glyphs) > 1 && utf8.RuneCountInString(s.said(l)) > 2 {
				t.Fatalf("%q in lines of %d: %q is %d wide", text, width, s.said(l), l.Width)
			}
		}
		a, b := []rune(mirrored.Replace(got)), []rune(mirrored.Replace(s.Display(Regular, text)))
		slices.Sort(a)
		slices.Sort(b)
		if !slices.Equal(a, b) {
			t.Fatalf("the lines of %q say %q", text, got)
		}
	}
}

func TestLinesBreakWhereTheyShould(t *testing.T) {
	s := NewSetter()
	for text, want := range map[string]string{
		"usage consumed":          "usage |consumed",
		"req_0123456789":          "req_|01234567|89",
		"建築設計建築設計":                "建築設計|建築設計",
		"xxxxxxxxxxxxxxxxx":       "xxxxxxxx|xxxxxxxx|x",
		"ooooooooe\u0301\u0301":   "oooooooo|e\u0301\u0301",
		"[U+1F600]":               "[U+1F600|]",
		"aa 😀":                    "aa |[U+1F600|]",
		"usage      consumed now": "usage      |consumed |now",
	} {
		var got []string
		for _, l := range s.Lines(Regular, text, 4_700) {
			got = append(got, s.said(l))
		}
		if joined := strings.Join(got, "|"); joined != want {
			t.Errorf("%q is broken as %q, want %q", text, joined, want)
		}
	}
}

// The cut-down font is one that a font library reads, with the glyphs and
// widths of the original.
func TestProgram(t *testing.T) {
	s := NewSetter()
	s.Line(Regular, "Ärger: Łódź, fi 12,5 % Ǻ")
	s.Line(Bold, "Ä")
	s.Line(Regular, "建築 한강")
	for _, used := range s.Fonts() {
		cut, err := font.ParseTTF(bytes.NewReader(used.Program()))
		if err == nil && cut == nil {
			t.Fatalf("%s: no font", used.Name)
		}
		if err != nil && !strings.Contains(err.Error(), "cmap") { // which it has none of
			t.Errorf("%s: %v", used.Name, err)
		}
		if checksum(used.Program()) != 0xB1B0AFBA {
			t.Errorf("%s: the checksum of the file is %X", used.Name, checksum(used.Program()))
		}
	}
}

func BenchmarkLine(b *testing.B) {
	s := NewSetter()
	for _, text := range []string{"usage.consumed", "שלום עולם"} {
		b.Run(text, func(b *testing.B) {
			for b.Loop() {
				s.Lines(Regular, text, 20_000)
			}
		})
	}
}
