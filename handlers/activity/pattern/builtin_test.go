package pattern

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBuiltinHasNoConflictsOrDuplicates(t *testing.T) {
	_, problems := Compile(Builtin())
	for _, p := range problems {
		t.Error(p)
	}
}

func TestBuiltinCoversTheCategoriesInOrder(t *testing.T) {
	var names []string
	var apps, domains int
	for _, c := range Builtin() {
		names = append(names, c.Name)
		apps += len(c.Apps)
		domains += len(c.Domains)
		if c.Name == "Uncategorized" {
			require.Empty(t, c.Apps)
			require.Empty(t, c.Domains)
			require.Empty(t, c.Titles)
			continue
		}
		require.NotEmpty(t, c.Apps, c.Name)
	}
	require.Equal(t, []string{
		"SNS", "Documentation", "Design", "Communication", "LLM", "Development", "Productivity", "Video Editing", "Entertainment",
		"File Management", "System & Utilities", "Game", "Education", "Finance", "Browsing", "Marketing", "Music",
		"E-commerce & Shopping", "Meetings", "AFK", "Uncategorized",
	}, names)
	t.Logf("%d apps, %d domains", apps, domains)
	require.Greater(t, apps, 700)
	require.Greater(t, domains, 700)
}

// TestBuiltinHasOneOwnerForEachName looks beyond Compile, for which "=music" and "music" are two patterns.
func TestBuiltinHasOneOwnerForEachName(t *testing.T) {
	owners := map[Kind]map[string]string{App: {}, Title: {}}
	for _, c := range Builtin() {
		for kind, list := range map[Kind][]string{App: c.Apps, Title: c.Titles} {
			for _, p := range list {
				key, _, _ := normalise(kind, p)
				if owner, ok := owners[kind][key]; ok {
					t.Errorf("%s %q is in %s and in %s", kind, p, owner, c.Name)
				}
				owners[kind][key] = c.Name
			}
		}
	}
}

func TestBuiltinOnWhatPeopleUse(t *testing.T) {
	categories := Builtin()
	set, _ := Compile(categories)
	for _, c := range []struct{ app, title, url, want string }{
		{"Google Chrome", "x", "https://github.com/golang/go/pulls", "Development"},
		{"chrome.exe", "x", "https://www.youtube.com/watch?v=1", "Entertainment"},
		{"Safari", "x", "https://music.youtube.com/", "Music"},
		{"Safari", "x", "https://studio.youtube.com/channel/1", "Video Editing"},
		{"Naver Whale", "x", "https://m.blog.naver.com/someone", "SNS"},
		{"Naver Whale", "x", "https://search.naver.com/search.naver?query=github.com", "Browsing"},
		{"Naver Whale", "x", "https://comic.naver.com/webtoon/list?titleId=1", "Entertainment"},
		{"Microsoft Edge", "x", "https://finance.naver.com/item/main.naver?code=1", "Finance"},
		{"Microsoft Edge", "x", "https://search.shopping.naver.com/search/all?query=x", "E-commerce & Shopping"},
		{"Microsoft Edge", "x", "https://mail.google.com/mail/u/0/#inbox", "Communication"},
		{"Microsoft Edge", "x", "https://docs.google.com/document/d/1/edit", "Documentation"},
		{"Microsoft Edge", "x", "https://docs.google.com/forms/d/1/edit", "Productivity"},
		{"Microsoft Edge", "x", "https://meet.google.com/abc-defg-hij", "Meetings"},
		{"Microsoft Edge", "x", "https://analytics.google.com/analytics/web/", "Marketing"},
		{"Microsoft Edge", "x", "https://drive.google.com/drive/my-drive", "File Management"},
		{"Microsoft Edge", "x", "https://scholar.google.com/scholar?q=x", "Education"},
		{"Microsoft Edge", "x", "https://cse.snu.ac.kr/", "Education"},
		{"Microsoft Edge", "x", "http://localhost:3000/", "Development"},
		{"Microsoft Edge", "x", "https://www.acmicpc.net/problem/1000", "Development"},
		{"Microsoft Edge", "x", "https://school.programmers.co.kr/learn/challenges", "Development"},
		{"Microsoft Edge", "x", "https://chzzk.naver.com/live/1", "Entertainment"},
		{"Microsoft Edge", "x", "https://www.coupang.com/vp/products/1", "E-commerce & Shopping"},
		{"Microsoft Edge", "x", "https://www.coupangplay.com/", "Entertainment"},
		{"Microsoft Edge", "x", "https://www.figma.com/file/1", "Design"},
		{"Microsoft Edge", "x", "https://chatgpt.com/c/1", "LLM"},
		{"Microsoft Edge", "x", "https://team.slack.com/", "Communication"},
		{"Microsoft Edge", "x", "https://www.op.gg/summoners/kr/x", "Game"},
		{"Microsoft\u200b Edge", "New tab", "edge://newtab/", "Browsing"},
		{"Google Chrome", "유튜브에서 보기 - Google Chrome", "", "Entertainment"},
		{"Google Chrome", "some text", "https://unknown.example", ""},
		{"Code", "main.go — leat", "", "Development"}, {"Code - Insiders", "", "", "Development"}, {"CodePen Studio", "", "", ""},
		{"com.microsoft.VSCode", "", "", "Development"}, {"idea64.exe", "", "", "Development"}, {"Cursor", "", "", "Development"},
		{"com.apple.Terminal", "", "", "Development"}, {"WindowsTerminal.exe", "", "", "Development"}, {"org.gnome.Terminal.desktop", "", "", "Development"},
		{"KakaoTalk.exe", "", "", "Communication"}, {"카카오톡", "", "", "Communication"}, {"com.kakao.KakaoTalkMac", "", "", "Communication"}, {"\u200eWhatsApp", "", "", "Communication"},
		{"org.telegram.desktop", "", "", "Communication"}, {"OUTLOOK.EXE", "", "", "Communication"}, {"com.tinyspeck.slackmacgap", "", "", "Communication"},
		{"us.zoom.xos", "", "", "Meetings"}, {"zoom.us", "", "", "Meetings"}, {"ms-teams.exe", "", "", "Meetings"}, {"com.microsoft.teams2", "", "", "Meetings"},
		{"WINWORD.EXE", "", "", "Documentation"}, {"Hwp.exe", "", "", "Documentation"}, {"한글 2022", "", "", "Documentation"}, {"Notion", "", "", "Documentation"}, {"Document Viewer 16.3", "", "", "Documentation"},
		{"Photoshop.exe", "", "", "Design"}, {"Adobe Photoshop 2024", "", "", "Design"}, {"com.figma.Desktop", "", "", "Design"},
		{"Adobe Premiere Pro.exe", "", "", "Video Editing"}, {"obs64.exe", "", "", "Video Editing"}, {"Final Cut Pro", "", "", "Video Editing"},
		{"PotPlayerMini64.exe", "", "", "Entertainment"}, {"VLC media player", "", "", "Entertainment"}, {"org.videolan.VLC", "", "", "Entertainment"},
		{"explorer.exe", "", "", "File Management"}, {"Finder", "", "", "File Management"}, {"org.gnome.Nautilus", "", "", "File Management"}, {"반디집", "", "", "File Management"},
		{"System Settings", "", "", "System & Utilities"}, {"Taskmgr.exe", "", "", "System & Utilities"}, {"계산기", "", "", "System & Utilities"},
		{"League of Legends (TM) Client", "", "", "Game"}, {"MapleStory.exe", "", "", "Game"}, {"steam.exe", "", "", "Game"}, {"Minecraft 1.20.4", "", "", "Game"},
		{"Anki", "", "", "Education"}, {"영웅문4", "", "", "Finance"}, {"Spotify.exe", "", "", "Music"}, {"Music", "", "", "Music"}, {"멜론", "", "", "Music"},
		{"Todoist", "", "", "Productivity"}, {"com.apple.iCal", "", "", "Productivity"}, {"Ollama", "", "", "LLM"}, {"Claude", "", "", "LLM"}, {"Claude Code", "", "", "Development"},
		{"당근마켓", "", "", "E-commerce & Shopping"}, {"Google Ads Editor", "", "", "Marketing"}, {"Instagram", "", "", "SNS"},
		{"loginwindow", "", "", "AFK"}, {"LockApp.exe", "Windows Default Lock Screen", "", "AFK"}, {"ScreenSaverEngine", "", "", "AFK"}, {"gnome-screensaver", "", "", "AFK"},
		{"firefox", "", "", "Browsing"}, {"org.mozilla.firefox.desktop", "", "", "Browsing"}, {"com.google.Chrome", "", "", "Browsing"}, {"msedge.exe", "", "", "Browsing"}, {"Arc", "", "", "Browsing"},
	} {
		m, ok := set.Match(c.app, c.title, c.url)
		got := ""
		if ok {
			got = categories[m.Category].Name
		}
		require.Equal(t, c.want, got, "%+v decided by %+v", c, m)
	}
}
