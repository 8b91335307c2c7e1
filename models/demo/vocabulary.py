"""The words demo data are made of: names, places, occupations, products, illnesses, with how common they are."""

from dataclasses import dataclass

from models.demo.draws import Weighted, weighted


@dataclass(frozen=True, slots=True)
class Surname:
    """A family name and its reading."""

    text: str
    reading: str


@dataclass(frozen=True, slots=True)
class District:
    """A county-level district: its code in identity numbers (GB/T 2260) and its names."""

    code: str
    province: str
    city: str
    name: str

    @property
    def place(self) -> str:
        """How an address begins; a municipality is not named twice."""
        province = "" if self.city.startswith(self.province) else self.province
        return f"{province}{self.city}{self.name}"

    @property
    def region(self) -> str:
        """How a profile names it."""
        short = self.city.removesuffix("市")
        return f"{self.province} {short}"


@dataclass(frozen=True, slots=True)
class ProductLine:
    """One kind of insurance: sums, yearly premium per thousand at 35, how it grows a year, and its claims."""

    code: str
    name: str
    sums: tuple[int, ...]
    rate: float
    growth: float
    expense_log_mean: float
    expense_log_spread: float


def _parse(text: str) -> list[list[str]]:
    return [line.split() for line in text.strip().splitlines()]


# text, reading, per mille of the population
SURNAMES: Weighted[Surname] = weighted(
    {
        Surname(text, reading): float(share)
        for text, reading, share in _parse("""
王 wang 71
李 li 70
张 zhang 67
刘 liu 51
陈 chen 45
杨 yang 31
黄 huang 22
赵 zhao 20
吴 wu 20
周 zhou 19
徐 xu 14
孙 sun 14
马 ma 13
朱 zhu 13
胡 hu 12
郭 guo 11
何 he 10
林 lin 10
高 gao 10
罗 luo 9
郑 zheng 9
梁 liang 8
谢 xie 7
宋 song 7
唐 tang 7
许 xu 7
韩 han 6
冯 feng 6
邓 deng 6
曹 cao 6
彭 peng 6
曾 zeng 5
肖 xiao 5
田 tian 5
董 dong 5
潘 pan 5
袁 yuan 5
蔡 cai 5
蒋 jiang 5
余 yu 5
于 yu 4
杜 du 4
叶 ye 4
程 cheng 4
魏 wei 4
苏 su 4
吕 lv 4
丁 ding 4
任 ren 4
卢 lu 4
姚 yao 4
沈 shen 4
钟 zhong 3
姜 jiang 3
崔 cui 3
谭 tan 3
陆 lu 3
范 fan 3
汪 wang 3
廖 liao 3
石 shi 3
金 jin 3
欧阳 ouyang 0.7
上官 shangguan 0.1
司马 sima 0.1
诸葛 zhuge 0.1
""")
    },
)

# Given names by decade of birth would be finer; these two pools are enough to look right.
GIVEN_MALE: tuple[tuple[str, str], ...] = tuple(
    (text, reading)
    for text, reading in _parse("""
伟 wei
强 qiang
磊 lei
军 jun
洋 yang
勇 yong
杰 jie
涛 tao
明 ming
超 chao
建 jian
国 guo
华 hua
平 ping
刚 gang
浩 hao
宇 yu
轩 xuan
子 zi
俊 jun
泽 ze
博 bo
文 wen
志 zhi
海 hai
辰 chen
航 hang
睿 rui
峰 feng
鹏 peng
斌 bin
波 bo
晨 chen
凯 kai
东 dong
云 yun
旭 xu
昊 hao
嘉 jia
诚 cheng
""")
)
GIVEN_FEMALE: tuple[tuple[str, str], ...] = tuple(
    (text, reading)
    for text, reading in _parse("""
芳 fang
娜 na
敏 min
静 jing
丽 li
艳 yan
娟 juan
霞 xia
秀 xiu
英 ying
玲 ling
桂 gui
兰 lan
红 hong
梅 mei
雪 xue
婷 ting
倩 qian
颖 ying
慧 hui
雨 yu
欣 xin
怡 yi
涵 han
梓 zi
萱 xuan
诗 shi
语 yu
佳 jia
琪 qi
悦 yue
晓 xiao
璐 lu
洁 jie
莉 li
燕 yan
琳 lin
丹 dan
宁 ning
思 si
""")
)

MINORITY_NAMES: tuple[tuple[str, str], ...] = (
    ("阿依古丽·买买提", "ayiguli"),
    ("迪丽努尔·艾合买提", "dilinuer"),
    ("艾力·吐尔逊", "aili"),
    ("玛依拉·阿不都", "mayila"),
    ("帕提曼·卡德尔", "patiman"),
    ("木拉提·哈山", "mulati"),
)
FOREIGN_NAMES: tuple[tuple[str, str], ...] = (
    ("安娜·史密斯", "anna"),
    ("大卫·米勒", "david"),
    ("田中真由美", "tanaka"),
    ("金敏俊", "minjun"),
    ("玛丽亚·罗西", "maria"),
    ("伊万·彼得罗夫", "ivan"),
)

# code, province, city, district, weight (millions of the province, shared among its rows)
DISTRICTS: Weighted[District] = weighted(
    {
        District(code, province, city, name): float(share)
        for code, province, city, name, share in _parse("""
110101 北京 北京市 东城区 3
110105 北京 北京市 朝阳区 10
110108 北京 北京市 海淀区 9
120101 天津 天津市 和平区 5
120103 天津 天津市 河西区 8
130102 河北 石家庄市 长安区 38
130602 河北 保定市 竞秀区 36
140105 山西 太原市 小店区 35
150102 内蒙古 呼和浩特市 新城区 24
210102 辽宁 沈阳市 和平区 24
210202 辽宁 大连市 中山区 18
220102 吉林 长春市 南关区 24
230103 黑龙江 哈尔滨市 南岗区 32
310101 上海 上海市 黄浦区 3
310104 上海 上海市 徐汇区 6
310115 上海 上海市 浦东新区 16
320102 江苏 南京市 玄武区 26
320205 江苏 无锡市 锡山区 18
320411 江苏 常州市 新北区 15
320506 江苏 苏州市 吴中区 26
330106 浙江 杭州市 西湖区 26
330203 浙江 宁波市 海曙区 20
330302 浙江 温州市 鹿城区 19
340104 安徽 合肥市 蜀山区 33
341202 安徽 阜阳市 颍州区 28
350102 福建 福州市 鼓楼区 16
350203 福建 厦门市 思明区 11
350503 福建 泉州市 丰泽区 15
360102 江西 南昌市 东湖区 24
360702 江西 赣州市 章贡区 21
370102 山东 济南市 历下区 28
370202 山东 青岛市 市南区 26
370602 山东 烟台市 芝罘区 20
371302 山东 临沂市 兰山区 28
410105 河南 郑州市 金水区 36
410302 河南 洛阳市 老城区 26
411302 河南 南阳市 宛城区 36
420106 湖北 武汉市 武昌区 34
420502 湖北 宜昌市 西陵区 24
430102 湖南 长沙市 芙蓉区 36
430602 湖南 岳阳市 岳阳楼区 30
440103 广东 广州市 荔湾区 16
440106 广东 广州市 天河区 20
440304 广东 深圳市 福田区 18
440305 广东 深圳市 南山区 18
440604 广东 佛山市 禅城区 22
441302 广东 惠州市 惠城区 32
450103 广西 南宁市 青秀区 28
450204 广西 柳州市 柳南区 22
460105 海南 海口市 秀英区 10
500103 重庆 重庆市 渝中区 12
500105 重庆 重庆市 江北区 20
510104 四川 成都市 锦江区 44
510703 四川 绵阳市 涪城区 22
511102 四川 乐山市 市中区 17
520102 贵州 贵阳市 南明区 22
520302 贵州 遵义市 红花岗区 16
530102 云南 昆明市 五华区 47
540102 西藏 拉萨市 城关区 4
610113 陕西 西安市 雁塔区 26
610302 陕西 宝鸡市 渭滨区 14
620102 甘肃 兰州市 城关区 25
630103 青海 西宁市 城中区 6
640104 宁夏 银川市 兴庆区 7
650102 新疆 乌鲁木齐市 天山区 26
""")
    },
)

STREETS = tuple(
    "人民路 解放路 中山路 建设路 和平路 文化路 新华路 长江路 "
    "黄河路 青年路 学府路 滨河路 光明街 胜利街 友谊街 迎宾大道".split(),
)
COMMUNITIES = tuple(
    "阳光花园 翠竹苑 金色家园 锦绣华庭 碧水湾 东方明珠 枫林雅居 书香门第 幸福里 和谐家园 云海名邸 梧桐苑".split(),
)

WORK: Weighted[str] = weighted(
    {
        "企业职员": 16,
        "工厂工人": 11,
        "个体工商户": 10,
        "农业劳动者": 12,
        "中学教师": 4,
        "小学教师": 4,
        "护士": 3,
        "医生": 2,
        "软件工程师": 6,
        "销售代表": 8,
        "会计": 4,
        "出租车司机": 2,
        "货车司机": 3,
        "快递员": 3,
        "外卖配送员": 3,
        "建筑工人": 5,
        "电工": 2,
        "厨师": 2,
        "公务员": 4,
        "家庭主妇": 4,
        "自由职业者": 4,
        "店员": 6,
        "律师": 1,
        "大学教师": 1,
        "消防员": 0.5,
    },
)
RETIRED = "退休人员"
PUPIL = "学生"
TODDLER = "学龄前儿童"

HEALTH_DECLARATIONS: Weighted[str] = weighted(
    {
        "无既往病史，不吸烟，近两年体检未见异常": 40,
        "无既往病史，吸烟每日十支以内": 10,
        "高血压一级，规律服用氨氯地平，血压控制良好": 9,
        "二型糖尿病三年，服用二甲双胍": 6,
        "甲状腺结节TI-RADS三级，每年复查": 7,
        "乳腺结节BI-RADS三级，定期随访": 4,
        "乙肝病毒携带，肝功能正常": 4,
        "轻度脂肪肝，血脂偏高": 8,
        "哮喘病史，近一年未发作": 2,
        "曾行阑尾切除术，已痊愈": 3,
        "腰椎间盘突出，保守治疗": 4,
        "青霉素过敏，无其他病史": 3,
    },
)

TAGS = tuple(
    "高净值 价格敏感 有车 有房 育儿家庭 健康关注 养老规划 "
    "续保意向高 线上偏好 旅行达人 新客户 老客户 已购重疾 已购医疗 夜间活跃".split(),
)
NICKNAMES = tuple(
    "清风徐来 小确幸 一叶知秋 追风少年 糖果味的夏天 岁月静好 "
    "大海的颜色 阳光正好 云淡风轻 小熊猫 半日闲 爱吃西瓜 星辰大海 "
    "晚安月亮 慢慢来 向日葵 早起的鸟 橘子汽水 山野来信 听雨".split(),
)
# Reserved names (RFC 2606): no demo address can belong to anyone.
MAIL_HOSTS = ("example.com", "example.net", "example.org", "mail.example.com", "post.example.cn")

DEVICE_MODELS: Weighted[str] = weighted(
    {
        "HUAWEI Mate 60 Pro": 12,
        "HUAWEI nova 12": 8,
        "HONOR 100": 9,
        "Xiaomi 14": 10,
        "Redmi K70": 9,
        "OPPO Reno11": 9,
        "vivo X100": 9,
        "iPhone 13": 8,
        "iPhone 15": 10,
        "iPhone 15 Pro Max": 6,
        "iPad Air": 3,
        "HUAWEI MatePad 11": 3,
        "Windows 11 PC": 4,
    },
)

HOSPITALS = tuple(
    "第一人民医院 第二人民医院 中心医院 中医医院 妇幼保健院 "
    "骨科医院 大学附属第一医院 肿瘤医院 第三人民医院 心血管病医院".split(),
)
DIAGNOSES: Weighted[tuple[str, str]] = weighted(
    {
        ("桡骨远端骨折", "在小区内下楼梯时踏空摔倒，右手撑地受伤"): 8,
        ("踝关节扭伤", "打篮球落地不稳扭伤脚踝"): 8,
        ("急性阑尾炎", "夜间突发右下腹疼痛，急诊入院手术"): 7,
        ("社区获得性肺炎", "发热咳嗽五日，门诊转住院治疗"): 9,
        ("急性胃肠炎", "聚餐后腹泻呕吐，急诊输液"): 8,
        ("胆囊结石伴胆囊炎", "反复右上腹疼痛，行腹腔镜胆囊切除"): 6,
        ("腰椎间盘突出症", "搬运重物后腰痛加重，住院保守治疗"): 6,
        ("二型糖尿病伴并发症", "血糖控制不佳，入院调整治疗方案"): 5,
        ("高血压病三级", "头晕头痛，住院监测血压"): 5,
        ("冠状动脉粥样硬化性心脏病", "活动后胸痛，行冠状动脉支架植入"): 4,
        ("脑梗死", "晨起右侧肢体无力，急诊溶栓"): 3,
        ("甲状腺乳头状癌", "体检发现甲状腺结节，穿刺确诊后手术"): 4,
        ("乳腺浸润性导管癌", "自查发现肿块，病理确诊后手术"): 2,
        ("肺腺癌", "体检胸部CT发现结节，手术后病理确诊"): 2,
        ("颅脑外伤", "骑电动车与轿车相撞，头部着地"): 3,
        ("烫伤（浅二度）", "在家中倒热水时不慎烫伤前臂"): 4,
        ("犬咬伤", "在公园散步时被犬只咬伤小腿"): 4,
        ("白内障", "视力逐渐下降，行超声乳化手术"): 4,
        ("肾结石", "突发左侧腰部绞痛，行体外碎石"): 5,
        ("半月板损伤", "跑步后膝关节疼痛，行关节镜手术"): 3,
    },
)

PRODUCT_LINES: Weighted[ProductLine] = weighted(
    {
        ProductLine("MED", "百万医疗保险", (2_000_000, 3_000_000, 4_000_000, 6_000_000), 0.15, 0.035, 9.0, 0.9): 34,
        ProductLine("ACC", "综合意外伤害保险", (100_000, 200_000, 300_000, 500_000, 1_000_000), 0.6, 0.0, 7.8, 0.8): 24,
        ProductLine("CI", "重大疾病保险", (100_000, 200_000, 300_000, 500_000, 800_000), 14.0, 0.03, 11.2, 0.5): 18,
        ProductLine("LIFE", "定期寿险", (500_000, 1_000_000, 2_000_000, 3_000_000), 1.6, 0.05, 9.8, 0.8): 10,
        ProductLine("ANN", "年金保险", (100_000, 200_000, 500_000, 1_000_000), 60.0, 0.0, 8.5, 0.7): 8,
        ProductLine("CARE", "长期护理保险", (100_000, 200_000, 300_000, 500_000), 5.0, 0.04, 9.9, 0.7): 6,
    },
)
INSURERS: tuple[tuple[str, str, float], ...] = (
    ("华岳人寿保险股份有限公司", "华岳", 24),
    ("瑞宁健康保险股份有限公司", "瑞宁", 18),
    ("东川财产保险股份有限公司", "东川", 15),
    ("海晏人寿保险有限公司", "海晏", 13),
    ("众岭财产保险股份有限公司", "众岭", 10),
    ("明湖养老保险股份有限公司", "明湖", 8),
    ("信渡人寿保险股份有限公司", "信渡", 7),
    ("北澄健康保险股份有限公司", "北澄", 5),
)
BROKER_NAME = "知需保险经纪有限公司"
HEALTH_PROVIDERS = ("康途健康管理有限公司", "医伴互联网医院有限公司", "安诊健康服务有限公司")
LOSS_ADJUSTERS = ("公允保险公估有限公司", "平准保险公估股份有限公司", "中衡损失评估有限公司")
AFFILIATES = ("知需数字科技有限公司", "知需财富管理有限公司")
SERVICE_PROVIDERS = ("信核数据服务有限公司", "云证身份核验有限公司", "迅呼客户服务外包有限公司")
AD_PARTNERS = ("广触传媒有限公司", "众屏广告有限公司")
