package console

import (
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"math"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/message/catalog"
	"golang.org/x/text/number"

	"licensekit/exporter/report"
)

// locale is the language of a page, with its numbers and dates.
type locale struct {
	tag     language.Tag
	printer *message.Printer
	day     string // layout of a date
	short   string // of a date without its year
	month   string // of a month
	pages   func() map[string]*template.Template
}

// locales are what pages are made in; the first is for all other languages.
var locales = []*locale{
	{tag: language.BritishEnglish, day: "2 Jan 2006", short: "2 Jan", month: "Jan 2006"},
	{tag: language.AmericanEnglish, day: "Jan 2, 2006", short: "Jan 2", month: "Jan 2006"},
	{tag: language.German, day: "02.01.2006", short: "02.01.", month: "01.2006"},
	{tag: language.MustParse("de-AT"), day: "02.01.2006", short: "02.01.", month: "01.2006"},
	{tag: language.MustParse("de-CH"), day: "02.01.2006", short: "02.01.", month: "01.2006"},
}

//go:embed messages/*.json
var messageFiles embed.FS

// matcher knows the locales. They are read for the first page that is asked for:
// most commands of the program show none.
var matcher = sync.OnceValue(func() language.Matcher {
	texts := readMessages()
	var tags []language.Tag
	for _, l := range locales {
		l.printer = message.NewPrinter(l.tag, message.Catalog(texts))
		l.pages = sync.OnceValue(func() map[string]*template.Template { return parsePages(l) })
		tags = append(tags, l.tag)
	}
	return language.NewMatcher(tags)
})

// wording is a message in a language: one text, or one each for "one" and
// "other" of its first number.
type wording map[string]string

// UnmarshalJSON reads a string or an object.
func (w *wording) UnmarshalJSON(text []byte) error {
	var plain string
	if json.Unmarshal(text, &plain) == nil {
		*w = wording{"other": plain}
		return nil
	}
	var forms map[string]string
	if err := json.Unmarshal(text, &forms); err != nil {
		return err
	}
	*w = forms
	return nil
}

// readMessages reads the catalogue. English texts stand in the pages, so its
// file has only those that depend on a number.
func readMessages() catalog.Catalog {
	texts := catalog.NewBuilder(catalog.Fallback(language.English))
	for _, tag := range []language.Tag{language.English, language.German} {
		for key, w := range messagesOf(tag) {
			var err error
			if w["one"] == "" {
				err = texts.SetString(tag, key, w["other"])
			} else {
				err = texts.Set(tag, key, plural.Selectf(1, "%d", "one", w["one"], "other", w["other"]))
			}
			if err != nil {
				panic(fmt.Sprintf("message %q in %v: %v", key, tag, err))
			}
		}
	}
	return texts
}

func messagesOf(tag language.Tag) (texts map[string]wording) {
	file, err := messageFiles.ReadFile("messages/" + tag.String() + ".json")
	if err == nil {
		err = json.Unmarshal(file, &texts)
	}
	if err != nil {
		panic(fmt.Sprintf("messages in %v: %v", tag, err)) // they are embedded
	}
	return texts
}

// localeOf is the locale that the browser asks for.
func localeOf(r *http.Request) *locale {
	tags, _, _ := language.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	_, i, _ := matcher().Match(tags...)
	return locales[i]
}

// text gives a message in the page's language, with numbers as it writes them.
func (l *locale) text(key string, args ...any) string { return l.printer.Sprintf(key, args...) }

// number writes an integer with its thousands apart.
func (l *locale) number(n any) string {
	switch n := n.(type) {
	case *int64:
		if n == nil {
			return ""
		}
		return l.printer.Sprint(number.Decimal(*n))
	case json.Number:
		i, err := n.Int64()
		if err != nil {
			return n.String()
		}
		return l.printer.Sprint(number.Decimal(i))
	}
	return l.printer.Sprint(number.Decimal(n))
}

// signed writes a difference with its sign.
func (l *locale) signed(n int64) string {
	if n > 0 {
		return "+" + l.number(n)
	}
	return l.number(n)
}

// percent writes a change of so many per cent with its sign.
func (l *locale) percent(p float64) string {
	sign := ""
	if p >= .05 {
		sign = "+"
	}
	return sign + l.printer.Sprint(number.Percent(p/100, number.MaxFractionDigits(1)))
}

// round writes a round number in little room: 2.5M.
func (l *locale) round(n float64) string {
	brief := func(n float64) any { return number.Decimal(n, number.MaxFractionDigits(2)) }
	switch size := math.Abs(n); {
	case size >= 1e12:
		return l.text("%v T", brief(n/1e12))
	case size >= 1e9:
		return l.text("%v B", brief(n/1e9))
	case size >= 1e6:
		return l.text("%v M", brief(n/1e6))
	case size >= 1e4:
		return l.text("%v k", brief(n/1e3))
	}
	return l.printer.Sprint(brief(n))
}

// size writes a number of bytes: 616,7 kB.
func (l *locale) size(n any) string {
	var bytes int64
	switch n := n.(type) {
	case *int64:
		if n == nil {
			return ""
		}
		bytes = *n
	case int64:
		bytes = n
	}
	if bytes < 1000 {
		return l.number(bytes) + " B"
	}
	value, unit := float64(bytes), -1
	for value >= 999.95 && unit < len("kMGTPE")-1 {
		value /= 1000
		unit++
	}
	digits := 1
	if value >= 99.95 {
		digits = 0
	}
	return l.printer.Sprint(number.Decimal(value, number.MaxFractionDigits(digits), number.MinFractionDigits(digits))) + " " + "kMGTPE"[unit:unit+1] + "B"
}

// instant writes a point in time to the minute, in UTC.
func (l *locale) instant(t any) template.HTML { return l.timeElement(t, " 15:04") }

// moment writes a point in time to the second, where a heading says that it is
// in UTC.
func (l *locale) moment(t any) template.HTML {
	at, ok := timeOf(t)
	if !ok {
		return ""
	}
	return template.HTML(fmt.Sprintf(`<time datetime="%s">%s <span class="clock">%s</span></time>`, at.Format(time.RFC3339Nano), template.HTMLEscapeString(at.Format(l.day)), at.Format("15:04:05")))
}

// exact writes a point in time to the millisecond, in UTC.
func (l *locale) exact(t any) template.HTML { return l.timeElement(t, " 15:04:05.000") }

func (l *locale) timeElement(t any, clock string) template.HTML {
	at, ok := timeOf(t)
	if !ok {
		return ""
	}
	shown := at.Format(l.day + strings.ReplaceAll(clock, " ", ",\u00a0"))
	return template.HTML(fmt.Sprintf(`<time datetime="%s">%s <abbr title="%s">UTC</abbr></time>`,
		at.Format(time.RFC3339Nano), template.HTMLEscapeString(shown), template.HTMLEscapeString(l.text("Coordinated Universal Time"))))
}

// date writes the day of a point in time in UTC.
func (l *locale) date(t any) string {
	at, ok := timeOf(t)
	if !ok {
		return ""
	}
	return at.Format(l.day)
}

// timeOf reads what the API has for points in time; ok is false for none.
func timeOf(t any) (at time.Time, ok bool) {
	switch t := t.(type) {
	case time.Time:
		return t.UTC(), !t.IsZero()
	case report.Instant:
		return time.UnixMilli(int64(t)).UTC(), true
	case *report.Instant:
		if t != nil {
			return time.UnixMilli(int64(*t)).UTC(), true
		}
	case string:
		at, err := time.Parse(time.RFC3339Nano, t)
		return at.UTC(), err == nil
	}
	return time.Time{}, false
}
