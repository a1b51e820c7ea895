package activity

// habit is what a made-up user is like.
type habit struct {
	user    string
	browser string
	minutes int // of a session
	tastes  []taste
}

// taste is something to do, and how often it is chosen against the others.
type taste struct {
	weight int
	pastime
}

// pastime is content that people have in front.
type pastime struct {
	app    string   // empty: the browser
	title  string   // %s is the name of one of the things
	url    string   // %s is how that thing is written in a URL
	things []string // name, or name|how it is written in the URL
}

var habits = []habit{
	{"minjun.kim", "Google Chrome", 25, developer},
	{"김서연", "Whale", 25, designer},
	{"이도윤", "Google Chrome", 25, student},
	{"jiwoo.park", "Arc", 25, developer},
	{"최하준", "Microsoft Edge", 50, analyst},
	{"seoyun_jung", "Safari", 25, writer},
	{"강시우", "Google Chrome", 25, gamer},
	{"haeun.cho", "Google Chrome", 25, marketer},
	{"윤예준", "Firefox", 25, developer},
	{"한소율", "Whale", 25, student},
	{"alice", "Firefox", 25, developer},
	{"björn", "Google Chrome", 50, writer},
	{"chloé", "Safari", 25, designer},
	{"diego", "Google Chrome", 25, filmmaker},
	{"emeka", "Brave Browser", 25, developer},
	{"fatima", "Microsoft Edge", 25, analyst},
	{"giulia", "Safari", 25, marketer},
	{"健太", "Google Chrome", 25, student},
	{"ivan", "Firefox", 25, gamer},
	{"priya", "Google Chrome", 25, filmmaker},
}

var (
	developer = []taste{
		{9, pastime{app: "Code", title: "%s - shop - Visual Studio Code", things: files}},
		{4, pastime{app: "IntelliJ IDEA", title: "shop – %s", things: []string{"OrderService.java", "PaymentGateway.java", "application.yml"}}},
		{4, pastime{app: "iTerm2", title: "%s", things: []string{"make test", "git rebase -i main", "kubectl logs", "vim notes.txt"}}},
		{5, github}, {3, stackOverflow}, {3, assistant}, {2, slack}, {2, search}, {1, youtube}, {1, music}, {1, ownTool},
	}
	designer = []taste{
		{9, pastime{app: "Figma", title: "%s – Figma", things: []string{"Checkout flow", "결제 화면 v3", "Icons", "Onboarding"}}},
		{3, pastime{title: "%s | Dribbble", url: "https://dribbble.com/search/%s", things: []string{"Dashboard|dashboard", "Empty states|empty-states"}}},
		{2, pastime{app: "Adobe Photoshop", title: "%s @ 66.7% (RGB/8)", things: []string{"banner.psd", "배너_최종_진짜최종.psd"}}},
		{2, notion}, {2, slack}, {2, sns}, {1, zoom}, {2, music}, {1, search},
	}
	student = []taste{
		{6, pastime{title: "%s - 프로그래머스", url: "https://school.programmers.co.kr/learn/courses/30/lessons/%s", things: []string{"두 수의 합|42576", "타겟 넘버|43165", "네트워크|43162"}}},
		{5, pastime{title: "%s", url: "https://www.acmicpc.net/problem/%s", things: []string{"1000번: A+B|1000", "1753번: 최단경로|1753", "2206번: 벽 부수고 이동하기|2206"}}},
		{4, pastime{title: "%s | Coursera", url: "https://www.coursera.org/learn/%s", things: []string{"Machine Learning|machine-learning", "Linear Algebra|linear-algebra"}}},
		{3, pastime{app: "Code", title: "%s - homework - Visual Studio Code", things: []string{"main.py", "bfs.cpp", "README.md"}}},
		{2, notion}, {3, youtube}, {2, kakao}, {2, sns}, {2, assistant}, {1, idle},
	}
	writer = []taste{
		{7, pastime{app: "Microsoft Word", title: "%s - Word", things: []string{"Chapter 7", "초고_3장.docx", "Report 2026", "회의록"}}},
		{4, pastime{title: "%s - Google Docs", url: "https://docs.google.com/document/d/%s/edit", things: []string{"Outline|1aOutline", "번역 초안|1bDraft", "Interview notes|1cNotes"}}},
		{3, notion}, {3, pastime{title: "%s - Wikipedia", url: "https://en.wikipedia.org/wiki/%s", things: []string{"Leat|Leat", "Water mill|Water_mill", "Pomodoro Technique|Pomodoro_Technique"}}},
		{2, assistant}, {2, mail}, {2, search}, {2, music}, {1, shopping},
	}
	analyst = []taste{
		{7, pastime{app: "Microsoft Excel", title: "%s - Excel", things: []string{"Budget.xlsx", "3분기 실적.xlsx", "Forecast.xlsx"}}},
		{4, pastime{title: "%s : 네이버 금융", url: "https://finance.naver.com/item/main.naver?code=%s", things: []string{"삼성전자|005930", "카카오|035720", "NAVER|035420"}}},
		{3, pastime{title: "%s - TradingView", url: "https://www.tradingview.com/symbols/%s/", things: []string{"KOSPI|KRX-KOSPI", "USDKRW|USDKRW"}}},
		{3, pastime{app: "Microsoft PowerPoint", title: "Board meeting.pptx - PowerPoint"}},
		{2, mail}, {2, zoom}, {2, search}, {1, shopping}, {1, intranet},
	}
	marketer = []taste{
		{5, pastime{title: "%s - Google Analytics", url: "https://analytics.google.com/analytics/web/#/p1/reports/%s", things: []string{"Home|home", "Real-time|realtime", "Acquisition|acquisition"}}},
		{3, pastime{title: "Campaigns - Google Ads", url: "https://ads.google.com/aw/campaigns"}},
		{3, pastime{app: "Slack", title: "%s - Slack", things: []string{"#campaigns", "#launch", "#마케팅"}}},
		{3, sns}, {2, notion}, {2, mail}, {2, zoom}, {2, assistant}, {2, youtube}, {1, fileManager}, {1, intranet},
	}
	filmmaker = []taste{
		{8, pastime{app: "Adobe Premiere Pro", title: "/projects/%s.prproj", things: []string{"vlog-12", "wedding", "시즌2_3화"}}},
		{4, pastime{app: "DaVinci Resolve", title: "%s", things: []string{"Color", "Fairlight", "Deliver"}}},
		{4, youtube}, {3, fileManager}, {2, music}, {2, kakao}, {2, assistant}, {1, search}, {1, idle},
	}
	gamer = []taste{
		{4, pastime{app: "League of Legends", title: "League of Legends (TM) Client"}},
		{3, pastime{app: "Steam", title: "Steam"}},
		{4, pastime{title: "%s - CHZZK", url: "https://chzzk.naver.com/live/%s", things: []string{"저녁 방송|a1b2", "랭크 듀오|c3d4"}}},
		{3, pastime{app: "Discord", title: "%s - Discord", things: []string{"#general", "#파티모집"}}},
		{5, pastime{app: "Code", title: "%s - engine - Visual Studio Code", things: []string{"physics.rs", "renderer.rs"}}},
		{4, github}, {2, stackOverflow}, {2, youtube}, {1, shopping}, {1, idle},
	}
)

// What people of all kinds do.
var (
	files = []string{"checkout.go", "cart_test.go", "router.ts", "schema.sql", "deploy.yaml"}

	github        = pastime{title: "%s · Pull Request", url: "https://github.com/acme/shop/pull/%s", things: []string{"Retry payments|418", "Cache prices|421", "Fix flaky test|430"}}
	stackOverflow = pastime{title: "%s - Stack Overflow", url: "https://stackoverflow.com/questions/%s", things: []string{"What does a deadlock look like|1042", "How to join two streams|1077"}}
	assistant     = pastime{title: "%s", url: "https://%s/", things: []string{"ChatGPT|chatgpt.com", "Claude|claude.ai", "Gemini|gemini.google.com"}}
	slack         = pastime{app: "Slack", title: "%s - Slack", things: []string{"#dev", "#random", "#잡담"}}
	kakao         = pastime{app: "KakaoTalk", title: "%s", things: []string{"가족방", "스터디 모임", "동아리"}}
	mail          = pastime{title: "Inbox - Gmail", url: "https://mail.google.com/mail/u/0/#inbox"}
	zoom          = pastime{app: "zoom.us", title: "Zoom Meeting"}
	notion        = pastime{app: "Notion", title: "%s", things: []string{"Weekly plan", "할 일", "Reading list"}}
	search        = pastime{title: "%s - Google Search", url: "https://www.google.com/search?q=%s", things: []string{"redis streams|redis+streams", "점심 메뉴 추천|lunch", "timezone converter|timezone"}}
	youtube       = pastime{title: "%s - YouTube", url: "https://www.youtube.com/watch?v=%s", things: []string{"집중할 때 듣는 음악|aaa111", "How mills work|bbb222", "코딩 브이로그|ccc333", "Lofi mix|ddd444"}}
	sns           = pastime{title: "%s", url: "https://%s/", things: []string{"Instagram|www.instagram.com", "Home / X|x.com", "reddit|www.reddit.com"}}
	music         = pastime{app: "Spotify", title: "%s", things: []string{"Deep Focus", "Daily Mix 1", "출근길"}}
	shopping      = pastime{title: "%s", url: "https://www.coupang.com/vp/products/%s", things: []string{"무선 키보드|7001", "캡슐 커피|7002", "Desk lamp|7003"}}
	fileManager   = pastime{app: "Finder", title: "%s", things: []string{"Downloads", "Exports", "다운로드"}}
	idle          = pastime{app: "loginwindow", title: "Login Window"}

	// No pattern knows these two.
	ownTool  = pastime{app: "shopctl-desk", title: "shopctl: %s", things: []string{"queue", "stock"}}
	intranet = pastime{title: "%s", url: "https://intra.acme.example/%s", things: []string{"휴가 신청|leave", "Expenses|expenses"}}
)
